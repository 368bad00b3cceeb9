/** What the URL of this screen carries. */
export interface TemplateSearch {
  /** What is searched for. */
  q?: string;
}

export function templateSearch(search: Record<string, unknown>): TemplateSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
