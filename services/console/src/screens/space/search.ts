/** What the URL of this screen carries. */
export interface SpaceSearch {
  /** What is searched for. */
  q?: string;
}

export function spaceSearch(search: Record<string, unknown>): SpaceSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
