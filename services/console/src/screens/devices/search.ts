/** How devices may stand, as the filter's choices. */
export const STATES = ["online", "offline", "never", "frozen", "refused", "ending"] as const;
export type State = (typeof STATES)[number];

/** By which devices are chosen. */
export interface Filters {
  /** Part of an id, node id, name, fingerprint, subject or tag. */
  q?: string;
  state?: State;
  product?: string;
  space?: string;
  /** The CA certificate that proved the device, by its id. */
  ca?: string;
  template?: string;
}

/** What the URL of this screen carries. */
export interface DevicesSearch extends Filters {
  /** The row that the keyboard is at, 0 for the first. */
  row?: number;
}

const TEXTS = ["q", "product", "space", "ca", "template"] as const;
/** Longer is no id, no name and no search, and the API would refuse it. */
const TEXT_MAX = 256;

export function devicesSearch(search: Record<string, unknown>): DevicesSearch {
  const found: DevicesSearch = {};
  for (const key of TEXTS) {
    // The router reads `?q=42` as a number.
    const value = typeof search[key] === "number" ? search[key].toString() : search[key];
    if (typeof value === "string" && value.trim() !== "") {
      found[key] = value.slice(0, TEXT_MAX);
    }
  }
  const state = STATES.find((state) => state === search["state"]);
  if (state !== undefined) {
    found.state = state;
  }
  const { row } = search;
  if (typeof row === "number" && Number.isInteger(row) && row > 0) {
    found.row = row;
  }
  return found;
}

/** The filters alone, in one order: what a page of the list depends on. */
export function filtersOf({ q, state, product, space, ca, template }: DevicesSearch): Filters {
  return Object.fromEntries(
    Object.entries({ q, state, product, space, ca, template }).filter(([, value]) => value !== undefined),
  );
}

/** Whether any filter is set. */
export function isFiltered(search: DevicesSearch): boolean {
  return Object.keys(filtersOf(search)).length > 0;
}
