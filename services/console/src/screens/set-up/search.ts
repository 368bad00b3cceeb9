/** What the URL of this screen carries. */
export interface SetUpSearch {
  /** What is searched for. */
  q?: string;
}

export function setUpSearch(search: Record<string, unknown>): SetUpSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
