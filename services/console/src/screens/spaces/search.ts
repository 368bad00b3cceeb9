/** What the URL of this screen carries. */
export interface SpacesSearch {
  /** What is searched for. */
  q?: string;
}

export function spacesSearch(search: Record<string, unknown>): SpacesSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
