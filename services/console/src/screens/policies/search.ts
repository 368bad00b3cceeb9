/** What the URL of this screen carries. */
export interface PoliciesSearch {
  /** What is searched for in names, ids and resource spaces. */
  q?: string | undefined;
}

export function policiesSearch({ q }: Record<string, unknown>): PoliciesSearch {
  return typeof q === "string" && q !== "" ? { q } : {};
}
