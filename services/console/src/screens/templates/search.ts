/** What the URL of this screen carries. */
export interface TemplatesSearch {
  /** Part of a name or a description, in any case. */
  q?: string;
}

export function templatesSearch(search: Record<string, unknown>): TemplatesSearch {
  const { q } = search;
  return typeof q === "string" && q !== "" ? { q } : {};
}
