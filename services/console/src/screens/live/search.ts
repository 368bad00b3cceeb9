/** What the URL of this screen carries. */
export interface LiveSearch {
  /** What is searched for. */
  q?: string;
}

export function liveSearch(search: Record<string, unknown>): LiveSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
