/** What the URL of this screen carries. */
export interface ProductsSearch {
  /** What is searched for in names, ids and resource spaces. */
  q?: string | undefined;
}

export function productsSearch({ q }: Record<string, unknown>): ProductsSearch {
  return typeof q === "string" && q !== "" ? { q } : {};
}
