import { queryOptions } from "@tanstack/react-query";

import { at, body, client, type Schemas } from "./client";
import type { Place } from "./place";

// What there is few enough of in an instance to be read whole: for lists, and for choosing one in a form.

export type Space = Schemas["Application"];
export type Product = Schemas["ProductShown"];
export type Policy = Schemas["DevicePolicy"];
export type Template = Schemas["TemplateShown"];
export type CaCertificate = Schemas["CaCertificate"];

/** What a CA certificate is called: its id where its Subject has no CN that can be shown. */
export function nameOfCa({ certificate_id, cn_name }: Pick<CaCertificate, "certificate_id" | "cn_name">): string {
  return cn_name === "" ? certificate_id : cn_name;
}

/** Entries of one page, the most that the API gives. */
const PAGE = 50;
/** Pages that are read at most: a form with more to choose from than this needs a search. */
const PAGES_MAX = 40;
const REFETCH_MS = 10_000;

/** Reads a list to its end. */
async function whole<Entry>(
  page: (marker: string | undefined) => Promise<{ entries: Entry[]; next: string | undefined }>,
) {
  const all: Entry[] = [];
  let marker: string | undefined;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const { entries, next } = await page(marker);
    all.push(...entries);
    if (next === undefined || entries.length < PAGE) {
      break;
    }
    marker = next;
  }
  return all;
}

function request({ instance, project }: Place, marker: string | undefined) {
  const query = { limit: PAGE, ...(marker === undefined ? {} : { marker }) };
  return { headers: at(instance), params: { path: { project_id: project }, query } };
}

/** The resource spaces that the operator may see, newest first. */
export const spaces = (place: Place) =>
  queryOptions({
    queryKey: ["spaces", place.instance],
    queryFn: async () => {
      const params = { path: { project_id: place.project } };
      const answer = await body(client.GET("/v5/iot/{project_id}/apps", { headers: at(place.instance), params }));
      return answer.applications;
    },
    refetchInterval: REFETCH_MS,
  });

export const products = (place: Place) =>
  queryOptions({
    queryKey: ["products", place.instance],
    queryFn: () =>
      whole(async (marker) => {
        const { products, page } = await body(client.GET("/v5/iot/{project_id}/products", request(place, marker)));
        return { entries: products, next: page.marker ?? undefined };
      }),
    refetchInterval: REFETCH_MS,
  });

export const policies = (place: Place) =>
  queryOptions({
    queryKey: ["policies", place.instance],
    queryFn: () =>
      whole(async (marker) => {
        const { policies, page } = await body(
          client.GET("/v5/iot/{project_id}/device-policies", request(place, marker)),
        );
        return { entries: policies, next: page.marker ?? undefined };
      }),
    refetchInterval: REFETCH_MS,
  });

export const templates = (place: Place) =>
  queryOptions({
    queryKey: ["templates", place.instance],
    queryFn: () =>
      whole(async (marker) => {
        const answer = await body(client.GET("/v5/iot/{project_id}/provisioning-templates", request(place, marker)));
        return { entries: answer.templates, next: answer.page.marker ?? undefined };
      }),
    refetchInterval: REFETCH_MS,
  });

export const caCertificates = (place: Place) =>
  queryOptions({
    queryKey: ["ca-certificates", place.instance],
    queryFn: () =>
      whole(async (marker) => {
        const { certificates, page } = await body(
          client.GET("/v5/iot/{project_id}/certificates", request(place, marker)),
        );
        return { entries: certificates, next: page.marker ?? undefined };
      }),
    refetchInterval: REFETCH_MS,
  });
