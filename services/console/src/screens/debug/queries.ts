import { queryOptions } from "@tanstack/react-query";

import { body, client, type Schemas } from "../../api/client";

/** What the certificate becomes, and whether it would be let in under the names that the client gives. */
export type DebugAnswer = Schemas["ChainDebugAnswer"];
export type Attempt = Schemas["AttemptShown"];

/** A certificate, with those that issued it behind it, and what the client calls itself. */
export interface Presented {
  certificate: string;
  client_id?: string;
  user_name?: string;
}

/** What the certificate would become if it connected now. Nothing is recorded. */
export const debugged = (instance: string, presented: Presented) =>
  queryOptions({
    queryKey: ["debug", instance, presented],
    queryFn: () =>
      body(
        client.POST("/rollcall/v1/instances/{instance_id}/debug", {
          params: { path: { instance_id: instance } },
          body: presented,
        }),
      ),
    retry: false,
  });

/** All that is known of an attempt, its certificate included. */
export const attempt = (instance: string, position: number) =>
  queryOptions({
    queryKey: ["attempts", instance, "at", position],
    queryFn: () =>
      body(
        client.GET("/rollcall/v1/instances/{instance_id}/attempts/{position}", {
          params: { path: { instance_id: instance, position: position.toString() } },
        }),
      ),
    // What happened does not change.
    staleTime: Infinity,
  });

/** The newest attempts of a certificate. */
export const attemptsOf = (instance: string, fingerprint: string) =>
  queryOptions({
    queryKey: ["attempts", instance, "of", fingerprint],
    queryFn: () =>
      body(
        client.GET("/rollcall/v1/instances/{instance_id}/attempts", {
          params: { path: { instance_id: instance }, query: { certificate: fingerprint, limit: 20 } },
        }),
      ),
    refetchInterval: 10_000,
  });

/** Tries an attempt again. A refusal is thrown. */
export function replay(instance: string, position: number) {
  return body(
    client.POST("/rollcall/v1/instances/{instance_id}/attempts/{position}/replay", {
      params: { path: { instance_id: instance, position: position.toString() } },
    }),
  );
}
