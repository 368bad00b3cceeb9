/** What the URL of this screen carries. */
export interface ProductsSearch {
  /** What is searched for. */
  q?: string;
}

export function productsSearch(search: Record<string, unknown>): ProductsSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
