import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { body, client } from "../../api/client";
import { basicTime } from "../devices/filters";
import { type Attempt, groupOfShown, isOf } from "./groups";
import type { GroupKey } from "./search";

const REFETCH_MS = 3_000;
/** Entries of one page, the most that the API gives. */
const PAGE = 50;
/** Pages that are read at most for the attempts of one group. */
const PAGES_MAX = 40;
const HOUR_MS = 3_600_000;

export const keyOfAttempts = (instance: string) => ["attempts", instance] as const;

interface Wanted {
  hours: number;
  group?: GroupKey;
  certificate?: string | undefined;
}

/** What the API is asked for; a group's absent members are no filter to it. */
function wantedQuery({ hours, group, certificate }: Wanted) {
  return {
    since: basicTime(new Date(Date.now() - hours * HOUR_MS)),
    ...(group !== undefined && { code: group.code }),
    ...(group?.ca !== undefined && { certificate_id: group.ca }),
    ...(group?.template !== undefined && { template_id: group.template }),
    ...(group?.source !== undefined && { source: group.source }),
    ...(certificate !== undefined && { certificate }),
  };
}

function page(instance: string, wanted: Wanted, before: number | null) {
  const query = { ...wantedQuery(wanted), limit: PAGE, ...(before !== null && { before }) };
  const params = { path: { instance_id: instance }, query };
  return body(client.GET("/rollcall/v1/instances/{instance_id}/attempts", { params }));
}

/** What was refused of late, newest first. */
export const attempts = (instance: string, wanted: Wanted) =>
  infiniteQueryOptions({
    queryKey: [...keyOfAttempts(instance), "list", wanted],
    queryFn: ({ pageParam }) => page(instance, wanted, pageParam),
    initialPageParam: null as number | null,
    getNextPageParam: ({ next }) => next,
    refetchInterval: REFETCH_MS,
  });

/** What was refused of late by reason, CA certificate, template and source, the largest group first. */
export const attemptGroups = (instance: string, wanted: Wanted) =>
  queryOptions({
    queryKey: [...keyOfAttempts(instance), "groups", wanted],
    queryFn: async () => {
      const params = { path: { instance_id: instance }, query: wantedQuery(wanted) };
      const answer = await body(client.GET("/rollcall/v1/instances/{instance_id}/attempts/groups", { params }));
      return { groups: answer.groups.map(groupOfShown), leftOut: answer.left_out };
    },
    refetchInterval: REFETCH_MS,
  });

/** All that is known of an attempt; it does not change. */
export const attempt = (instance: string, position: number) =>
  queryOptions({
    queryKey: [...keyOfAttempts(instance), position],
    queryFn: () => {
      const params = { path: { instance_id: instance, position: position.toString() } };
      return body(client.GET("/rollcall/v1/instances/{instance_id}/attempts/{position}", { params }));
    },
    staleTime: Infinity,
  });

/** Reads all attempts of a group, newest first, as far as a browser may be asked to hold them. */
export const ofGroup = (instance: string, group: GroupKey, hours: number) =>
  queryOptions({
    queryKey: [...keyOfAttempts(instance), "group", group, hours],
    queryFn: async () => {
      const found: Attempt[] = [];
      let before: number | null = null;
      for (let pages = 0; pages < PAGES_MAX; pages++) {
        const answer: Awaited<ReturnType<typeof page>> = await page(instance, { hours, group }, before);
        found.push(...answer.attempts.filter((attempt) => isOf(attempt, group)));
        if (answer.next === null || answer.next === undefined) {
          return { attempts: found, isWhole: true };
        }
        before = answer.next;
      }
      return { attempts: found, isWhole: false };
    },
    refetchInterval: 5 * REFETCH_MS,
  });

/** Rules on the certificate of an attempt again, as things stand now; a refusal is thrown. */
export function replay(instance: string, position: number) {
  const params = { path: { instance_id: instance, position: position.toString() } };
  return body(client.POST("/rollcall/v1/instances/{instance_id}/attempts/{position}/replay", { params }));
}
