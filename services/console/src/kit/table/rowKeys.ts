import { type RefObject, useEffect, useEffectEvent } from "react";

import { isTaken } from "../keys";

/** Where the next row is: `j` and the arrow go down, `k` and the arrow up, Home and End to the ends. Absent where the key moves nothing. */
export function nextRow(key: string, current: number, count: number): number | undefined {
  if (count === 0) {
    return undefined;
  }
  switch (key) {
    case "j":
    case "ArrowDown":
      return Math.min(current + 1, count - 1);
    case "k":
    case "ArrowUp":
      return Math.max(current - 1, 0);
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return undefined;
  }
}

/** The tables of the page, in the order of their making. */
const tables: object[] = [];

/** Moves by `j` and `k` wherever the focus is, in the table that has it or else in the first; by the other keys within it. */
export function useRowKeys(box: RefObject<HTMLElement | null>, move: (key: string) => void) {
  const onKey = useEffectEvent((event: KeyboardEvent, self: object) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTaken(event)) {
      return;
    }
    const target = event.target instanceof Element ? event.target : document.body;
    const isWithin = box.current?.contains(target) ?? false;
    const isAnywhere = event.key === "j" || event.key === "k";
    const isElsewhere = target.closest("[data-rows]") !== null;
    if (isWithin || (isAnywhere && !isElsewhere && tables[0] === self)) {
      move(event.key);
      if (isAnywhere || event.key.startsWith("Arrow")) {
        event.preventDefault();
      }
    }
  });
  useEffect(() => {
    const self = {};
    tables.push(self);
    const listen = (event: KeyboardEvent) => onKey(event, self);
    document.addEventListener("keydown", listen);
    return () => {
      tables.splice(tables.indexOf(self), 1);
      document.removeEventListener("keydown", listen);
    };
  }, []);
}
