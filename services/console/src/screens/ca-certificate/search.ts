/** What the URL of this screen carries. */
export interface CaCertificateSearch {
  /** What is searched for. */
  q?: string;
}

export function caCertificateSearch(search: Record<string, unknown>): CaCertificateSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
