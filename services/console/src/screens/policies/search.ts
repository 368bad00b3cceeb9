/** What the URL of this screen carries. */
export interface PoliciesSearch {
  /** What is searched for. */
  q?: string;
}

export function policiesSearch(search: Record<string, unknown>): PoliciesSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
