/** What the URL of this screen carries. */
export interface DevicesSearch {
  /** What is searched for. */
  q?: string;
}

export function devicesSearch(search: Record<string, unknown>): DevicesSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
