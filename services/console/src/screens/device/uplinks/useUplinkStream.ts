import { useEffect, useState } from "react";

import type { Target, Uplink } from "../queries";

/** Uplinks of the stream that are kept; what falls out is in the past, which is read by pages. */
const KEPT_MAX = 200;

export type StreamState = "connecting" | "connected" | "cut";

export interface UplinkStream {
  state: StreamState;
  /** Newest first. */
  uplinks: Uplink[];
  /** Whether something may be missing: what the stream was to begin behind is gone. */
  isIncomplete: boolean;
}

/** A pause before a stream that has ended is opened again, ms. */
const AGAIN_MS = 2_000;

/** The uplink that an item of the stream is; absent where it is none. */
export function uplinkOf(data: string): Uplink | undefined {
  try {
    const item = JSON.parse(data) as Partial<Uplink> | null;
    return typeof item?.marker === "string" && typeof item.topic === "string" ? (item as Uplink) : undefined;
  } catch {
    return undefined;
  }
}

/** One more at the top, once: a stream that is opened again may repeat its last. */
export function kept(uplinks: Uplink[], uplink: Uplink): Uplink[] {
  return uplinks.some(({ marker }) => marker === uplink.marker) ? uplinks : [uplink, ...uplinks].slice(0, KEPT_MAX);
}

/** What the device sends from now on, or behind a marker. A connection of its own, for only this screen wants it. */
export function useUplinkStream({ instance, device }: Target, after: string | undefined, isOn: boolean): UplinkStream {
  const [stream, setStream] = useState<UplinkStream>({ state: "connecting", uplinks: [], isIncomplete: false });
  useEffect(() => {
    if (!isOn) {
      return;
    }
    const path = `/rollcall/v1/instances/${encodeURIComponent(instance)}/devices/${encodeURIComponent(device)}/uplinks/stream`;
    let marker = after;
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = () => {
      source?.close();
      setStream((before) => ({ ...before, state: "cut" }));
      clearTimeout(timer);
      timer = setTimeout(open, AGAIN_MS);
    };
    const open = () => {
      source = new EventSource(marker === undefined ? path : `${path}?marker=${marker}`);
      source.addEventListener("opened", ({ data }: MessageEvent<string>) => {
        const { complete } = JSON.parse(data) as { complete?: boolean };
        setStream((before) => ({
          ...before,
          state: "connected",
          isIncomplete: before.isIncomplete || complete === false,
        }));
      });
      source.addEventListener("uplink", ({ data }: MessageEvent<string>) => {
        const uplink = uplinkOf(data);
        if (uplink !== undefined) {
          marker = uplink.marker;
          setStream((before) => ({ ...before, uplinks: kept(before.uplinks, uplink) }));
        }
      });
      source.addEventListener("ended", again);
      source.addEventListener("error", again);
    };
    open();
    return () => {
      clearTimeout(timer);
      source?.close();
    };
  }, [instance, device, after, isOn]);
  return stream;
}
