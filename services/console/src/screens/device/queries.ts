import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { at, body, client, type Schemas } from "../../api/client";
import { ApiError } from "../../api/error";
import type { Place } from "../../api/place";

export type Device = Schemas["DeviceShown"];
export type Uplink = Schemas["UplinkShown"];

/** Which device, and where. */
export interface Target extends Place {
  device: string;
}

const REFETCH_MS = 3_000;
/** Entries of one page, the most that the API gives. */
const PAGE = 50;

/** The beginning of the key of all that is asked about a device. */
export const keyOf = ({ instance, device }: Target) => ["device", instance, device] as const;

/** The parameters of a v5 operation on a device. */
export function onDevice({ instance, project, device }: Target) {
  return { headers: at(instance), params: { path: { project_id: project, device_id: device } } };
}

/** `null` for what the API does not know. */
async function unlessUnknown<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) {
      return null;
    }
    throw error;
  }
}

/** The device as it is now; absent if there is none by this id, or none any more. */
export const device = (target: Target) =>
  queryOptions({
    queryKey: [...keyOf(target), "shown"],
    queryFn: (): Promise<Device | null> =>
      unlessUnknown(body(client.GET("/v5/iot/{project_id}/devices/{device_id}", onDevice(target)))),
    refetchInterval: REFETCH_MS,
  });

/** What happened to the device, newest first. */
export const events = (target: Target) =>
  infiniteQueryOptions({
    queryKey: [...keyOf(target), "events"],
    queryFn: async ({ pageParam }): Promise<Schemas["Events"]> => {
      const path = { instance_id: target.instance, device_id: target.device };
      const query = { limit: PAGE, ...(pageParam !== null && { before: pageParam }) };
      const params = { path, query };
      const answer = body(client.GET("/rollcall/v1/instances/{instance_id}/devices/{device_id}/events", { params }));
      return (await unlessUnknown(answer)) ?? { events: [] };
    },
    initialPageParam: null as number | null,
    getNextPageParam: ({ next }) => next,
    refetchInterval: REFETCH_MS,
  });

/** What the device was refused, newest first. */
export const attempts = (target: Target) =>
  infiniteQueryOptions({
    queryKey: [...keyOf(target), "attempts"],
    queryFn: ({ pageParam }) => {
      const path = { instance_id: target.instance };
      const query = { device: target.device, limit: PAGE, ...(pageParam !== null && { before: pageParam }) };
      return body(client.GET("/rollcall/v1/instances/{instance_id}/attempts", { params: { path, query } }));
    },
    initialPageParam: null as number | null,
    getNextPageParam: ({ next }) => next,
    refetchInterval: REFETCH_MS,
  });

/** What the device has sent, newest first; what it sends from now on comes by the stream. */
export const uplinks = (target: Target) =>
  infiniteQueryOptions({
    queryKey: [...keyOf(target), "uplinks"],
    queryFn: ({ pageParam }) => {
      const path = { instance_id: target.instance, device_id: target.device };
      const query = { limit: PAGE, ...(pageParam !== null && { marker: pageParam }) };
      return body(
        client.GET("/rollcall/v1/instances/{instance_id}/devices/{device_id}/uplinks", { params: { path, query } }),
      );
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ marker }) => marker,
    // The stream brings what is new, and pages of the past do not change.
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  });

export const shadow = (target: Target) =>
  queryOptions({
    queryKey: [...keyOf(target), "shadow"],
    queryFn: () => body(client.GET("/v5/iot/{project_id}/devices/{device_id}/shadow", onDevice(target))),
    refetchInterval: REFETCH_MS,
  });

export const messages = (target: Target) =>
  queryOptions({
    queryKey: [...keyOf(target), "messages"],
    queryFn: () => body(client.GET("/v5/iot/{project_id}/devices/{device_id}/messages", onDevice(target))),
    refetchInterval: REFETCH_MS,
  });

/** The certificates that were taken away from the device; there may be some of a device that is deleted, too. */
export const retiredCertificates = (target: Target) =>
  queryOptions({
    queryKey: [...keyOf(target), "retired"],
    queryFn: async () => {
      const params = { path: { instance_id: target.instance }, query: { device_id: target.device } };
      const answer = await body(client.GET("/rollcall/v1/instances/{instance_id}/retired-certificates", { params }));
      return answer.retired_certificates;
    },
    refetchInterval: REFETCH_MS,
  });
