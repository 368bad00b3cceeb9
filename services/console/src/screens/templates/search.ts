/** What the URL of this screen carries. */
export interface TemplatesSearch {
  /** What is searched for. */
  q?: string;
}

export function templatesSearch(search: Record<string, unknown>): TemplatesSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
