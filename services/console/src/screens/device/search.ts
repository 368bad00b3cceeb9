/** What the URL of this screen carries. */
export interface DeviceSearch {
  /** What is searched for. */
  q?: string;
}

export function deviceSearch(search: Record<string, unknown>): DeviceSearch {
  const { q } = search;
  return typeof q === "string" ? { q } : {};
}
