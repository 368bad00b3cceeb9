/** What the URL of this screen carries. */
export interface TemplateSearch {
  /** How the body is shown; a form if absent. */
  as?: "json";
}

export function templateSearch(search: Record<string, unknown>): TemplateSearch {
  return search["as"] === "json" ? { as: "json" } : {};
}
