/** What the URL of this screen carries. */
export interface SpacesSearch {
  /** What is searched for in names and ids. */
  q?: string | undefined;
}

export function spacesSearch({ q }: Record<string, unknown>): SpacesSearch {
  return typeof q === "string" && q !== "" ? { q } : {};
}
