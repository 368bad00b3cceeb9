/** What the URL of this screen carries. */
export interface AttemptsSearch {
  /** What is searched for. */
  q?: string;
}

export function attemptsSearch(search: Record<string, unknown>): AttemptsSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
