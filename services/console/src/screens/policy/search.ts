/** What the URL of this screen carries. */
export interface PolicySearch {
  /** What is searched for. */
  q?: string;
}

export function policySearch(search: Record<string, unknown>): PolicySearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
