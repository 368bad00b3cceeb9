export const SORTS = ["name", "devices", "online"] as const;
export type InstancesSort = (typeof SORTS)[number];

/** What the URL of this screen carries. */
export interface InstancesSearch {
  /** Words that the id, the region or the access domain holds. */
  q?: string;
  /** By name when absent; by a number, the most first. */
  sort?: InstancesSort;
}

export function instancesSearch(search: Record<string, unknown>): InstancesSearch {
  const { q, sort } = search;
  const known = SORTS.find((name) => name === sort);
  return { ...(typeof q === "string" && q !== "" && { q }), ...(known !== undefined && { sort: known }) };
}
