/** What the URL of this screen carries. */
export interface CaCertificatesSearch {
  /** What is searched for. */
  q?: string;
}

export function caCertificatesSearch(search: Record<string, unknown>): CaCertificatesSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
