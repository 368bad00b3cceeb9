import { queryOptions } from "@tanstack/react-query";

import { body, client, type Schemas } from "../api/client";

type Device = Schemas["DeviceSummary"];

/** Devices that are offered of each field. */
const OFFERED_MAX = 6;

/** The text of an entry holds every word of the query, in any case. */
export function matches(query: string, text: string): boolean {
  const lower = text.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => lower.includes(word));
}

/** Those whose text matches. Where a word of it begins as the query does, before where the query is in the midst of one. */
export function matching<Thing>(query: string, things: readonly Thing[], textOf: (thing: Thing) => string): Thing[] {
  const begins = (thing: Thing) => ` ${textOf(thing).toLowerCase()}`.includes(` ${query.toLowerCase()}`);
  const found = things.filter((thing) => matches(query, textOf(thing)));
  return [...found.filter(begins), ...found.filter((thing) => !begins(thing))];
}

/** Those of both lists, each once. */
export function merged(byId: Device[], byNode: Device[]): Device[] {
  return [...new Map([...byId, ...byNode].map((device) => [device.device_id, device])).values()];
}

/** Devices whose id or node id begins so. */
export const devicesBeginning = (instance: string, prefix: string) =>
  queryOptions({
    queryKey: ["palette", instance, prefix],
    queryFn: async () => {
      const by = async (by: "device_id" | "node_id") => {
        const params = { path: { instance_id: instance }, query: { by, prefix, limit: OFFERED_MAX } };
        return (await body(client.GET("/rollcall/v1/instances/{instance_id}/devices", { params }))).devices;
      };
      const [byId, byNode] = await Promise.all([by("device_id"), by("node_id")]);
      return merged(byId, byNode);
    },
    staleTime: 10_000,
  });
