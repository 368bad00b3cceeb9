import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { body, client } from "../../api/client";
import { basicTime } from "../devices/filters";
import { type Attempt, isOf } from "./groups";
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
  code?: string | undefined;
  certificate?: string | undefined;
}

function page(instance: string, { hours, code, certificate }: Wanted, before: number | null) {
  const query = {
    limit: PAGE,
    since: basicTime(new Date(Date.now() - hours * HOUR_MS)),
    ...(code !== undefined && { code }),
    ...(certificate !== undefined && { certificate }),
    ...(before !== null && { before }),
  };
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
        const answer: Awaited<ReturnType<typeof page>> = await page(instance, { hours, code: group.code }, before);
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
