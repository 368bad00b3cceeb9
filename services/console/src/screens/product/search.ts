/** What the URL of this screen carries. */
export interface ProductSearch {
  /** What is searched for. */
  q?: string;
}

export function productSearch(search: Record<string, unknown>): ProductSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
