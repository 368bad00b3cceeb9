import { LIVE_KINDS, type LiveKind } from "../../kit/live/stream";

/** What the URL of this screen carries. */
export interface LiveSearch {
  /** Words that an item must hold. */
  q?: string;
  /** Those of `event`, `refusal` and `presence` that are shown, with commas; all when absent. */
  kinds?: string;
}

/** The kinds that the URL names; all where it names none that there is. */
export function kindsOf({ kinds }: LiveSearch): readonly LiveKind[] {
  const named = LIVE_KINDS.filter((kind) => kinds?.split(",").includes(kind));
  return named.length === 0 ? LIVE_KINDS : named;
}

/** Names them for the URL; all of them are not named. */
export function named(kinds: readonly string[]): Pick<LiveSearch, "kinds"> {
  const known = LIVE_KINDS.filter((kind) => kinds.includes(kind));
  return known.length === 0 || known.length === LIVE_KINDS.length ? {} : { kinds: known.join(",") };
}

export function liveSearch(search: Record<string, unknown>): LiveSearch {
  const { q, kinds } = search;
  // A word of digits comes as a number.
  const text = typeof q === "number" ? q.toString() : q;
  return {
    ...(typeof text === "string" && text !== "" && { q: text }),
    ...(typeof kinds === "string" && named(kinds.split(","))),
  };
}
