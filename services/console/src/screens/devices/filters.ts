import type { Filters, State } from "./search";

/** Hours that count as lately. */
export const LATELY_HOURS = 24;
/** Days within which a certificate is said to end soon. */
export const ENDING_DAYS = 30;

const HOUR_MS = 3_600_000;

/** The filters as the API's list takes them. */
export interface DeviceListQuery {
  q?: string;
  status?: "ONLINE" | "OFFLINE" | "INACTIVE" | "FROZEN";
  refused_since?: string;
  certificate_ends_until?: string;
  product_id?: string;
  app_id?: string;
  certificate_id?: string;
  template_id?: string;
}

/** As `20151212T121212Z`. */
export function basicTime(date: Date): string {
  return date
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replaceAll(/[-:]/g, "");
}

function ofState(state: State | undefined, now: Date): DeviceListQuery {
  switch (state) {
    case undefined:
      return {};
    case "online":
      return { status: "ONLINE" };
    case "offline":
      return { status: "OFFLINE" };
    case "never":
      return { status: "INACTIVE" };
    case "frozen":
      return { status: "FROZEN" };
    case "refused":
      return { refused_since: basicTime(new Date(now.getTime() - LATELY_HOURS * HOUR_MS)) };
    case "ending":
      return { certificate_ends_until: basicTime(new Date(now.getTime() + ENDING_DAYS * 24 * HOUR_MS)) };
  }
}

export function deviceListQuery(filters: Filters, now: Date): DeviceListQuery {
  const query: Record<string, string | undefined> = {
    q: filters.q?.trim(),
    ...ofState(filters.state, now),
    product_id: filters.product,
    app_id: filters.space,
    certificate_id: filters.ca,
    template_id: filters.template,
  };
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
}

/** Where the filtered list is to be had: by pages, or whole as CSV. */
export function listPath(instance: string, filters: Filters, now: Date, form: "" | "/csv" = ""): string {
  const query = new URLSearchParams({ ...deviceListQuery(filters, now) }).toString();
  return `/rollcall/v1/instances/${encodeURIComponent(instance)}/device-list${form}${query === "" ? "" : `?${query}`}`;
}
