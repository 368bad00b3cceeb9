/** What the URL of this screen carries. */
export interface ProductSearch {
  /** The resource space that it is in: two may have a product of one id. */
  space?: string | undefined;
}

export function productSearch({ space }: Record<string, unknown>): ProductSearch {
  return typeof space === "string" ? { space } : {};
}
