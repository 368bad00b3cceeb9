import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useState, useSyncExternalStore } from "react";

import { me } from "../../api/session";
import { type LiveItem, type LiveKind, type LiveStatus, LiveStream } from "./stream";

export type { Gap, LiveItem, LiveKind, LiveStatus, Presence } from "./stream";

/** Items that a part keeps; older ones are in the log. */
const KEPT_MAX = 500;

const streams = new Map<string, LiveStream>();

function streamOf(instance: string): LiveStream {
  const known = streams.get(instance);
  if (known !== undefined) {
    return known;
  }
  const made = new LiveStream(instance, (url) => new EventSource(url));
  streams.set(instance, made);
  return made;
}

export interface LiveConnection extends LiveStatus {
  /** Connects now, where it is cut. */
  retry: () => void;
}

/**
 * Does something at each item of these kinds, such as to fetch again what it has changed. A gap is an item too: something of its kind may
 * have been missed.
 */
export function useLiveEffect(
  instance: string,
  kinds: readonly LiveKind[],
  hear: (item: LiveItem) => void,
): LiveConnection {
  const stream = streamOf(instance);
  const onItem = useEffectEvent((item: LiveItem) => {
    if (kinds.includes(item.kind === "gap" ? item.item.kind : item.kind)) {
      hear(item);
    }
  });
  useEffect(() => stream.listen(onItem), [stream]);
  const status = useSyncExternalStore(stream.watch, () => stream.status);
  // It may be that nobody is signed in any more, which a request is told and a stream is not.
  const queries = useQueryClient();
  useEffect(() => {
    if (status.state === "cut") {
      void queries.invalidateQueries({ queryKey: me.queryKey });
    }
  }, [status.state, queries]);
  return { ...status, retry: stream.retry };
}

export interface Live extends LiveConnection {
  /** Newest first, at most 500. */
  items: LiveItem[];
  /** How many have come since it is paused. */
  waiting: number;
  clear: () => void;
}

interface Options {
  /** Holds what comes back until it is false again; the oldest fall out. */
  isPaused?: boolean;
  /** Only these are kept; it may change at any time, and does not bring back what it kept out. */
  wants?: (item: LiveItem) => boolean;
  max?: number;
}

/** What happens in an instance from now on, over the one connection of this tab. */
export function useLive(instance: string, kinds: readonly LiveKind[], options: Options = {}): Live {
  const { isPaused = false, wants, max = KEPT_MAX } = options;
  const [kept, setKept] = useState<Kept>({ instance, items: [], waiting: [] });
  const connection = useLiveEffect(instance, kinds, (item) => {
    if (wants?.(item) ?? true) {
      setKept((before) => keep(before.instance === instance ? before : empty(instance), item, isPaused, max));
    }
  });
  const own = kept.instance === instance ? kept : empty(instance);
  if (!isPaused && own.waiting.length > 0) {
    setKept({ instance, items: [...own.waiting, ...own.items].slice(0, max), waiting: [] });
  }
  return { ...connection, items: own.items, waiting: own.waiting.length, clear: () => setKept(empty(instance)) };
}

export interface Kept {
  instance: string;
  items: LiveItem[];
  waiting: LiveItem[];
}

const empty = (instance: string): Kept => ({ instance, items: [], waiting: [] });

/** One more item, newest first, and no more than so many. */
export function keep(before: Kept, item: LiveItem, isPaused: boolean, max: number): Kept {
  const list = isPaused ? "waiting" : "items";
  return { ...before, [list]: [item, ...before[list]].slice(0, max) };
}
