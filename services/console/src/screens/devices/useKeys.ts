import { useHotkeys } from "@mantine/hooks";
import type { RefObject } from "react";

interface Keys {
  box: RefObject<HTMLElement | null>;
  rows: number;
  scrollTo: (index: number) => void;
}

/** Frames that are waited for a row to be drawn that was scrolled to. */
const FRAMES_MAX = 60;

/** `j` and `k` go to the next and the previous row's link, Enter follows it as any link. */
export function useKeys({ box, rows, scrollTo }: Keys) {
  const link = (index: number) => box.current?.querySelector<HTMLElement>(`[data-row="${index}"]`);
  const go = (step: number) => {
    const at = document.activeElement?.getAttribute("data-row") ?? null;
    const first = Number(box.current?.querySelector("[data-row]")?.getAttribute("data-row") ?? 0);
    const index = Math.min(Math.max(at === null ? first : Number(at) + step, 0), rows - 1);
    const focus = (frames: number) => {
      const found = link(index);
      if (found !== null && found !== undefined) {
        found.focus();
      } else if (frames > 0) {
        requestAnimationFrame(() => focus(frames - 1));
      }
    };
    if (rows > 0) {
      scrollTo(index);
      focus(FRAMES_MAX);
    }
  };
  useHotkeys([
    ["j", () => go(1)],
    ["k", () => go(-1)],
  ]);
}
