/** What the URL of this screen carries. */
export interface DebugSearch {
  /** What is searched for. */
  q?: string;
}

export function debugSearch(search: Record<string, unknown>): DebugSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
