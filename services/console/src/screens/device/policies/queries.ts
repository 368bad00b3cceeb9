import { queryOptions } from "@tanstack/react-query";

import { body, client } from "../../../api/client";
import { keyOf, type Target } from "../queries";
import type { Asked } from "../search";

export type Through = "device" | "product" | "app" | "default";

/** A policy that applies to the device, and through what. */
export interface PolicyInEffect {
  policy_id: string;
  policy_name: string;
  statement: { effect: string; actions: string[]; resources: string[] }[];
  through: Through;
  target_id: string;
}

export interface PolicyTestAnswer {
  allowed: boolean;
  topic_scope: "custom" | "own_system" | "reserved";
  decided_by?: {
    policy_id: string;
    policy_name: string;
    statement_index: number;
    effect: string;
    resource: string;
    through: Through;
    target_id: string;
  } | null;
  text: string;
}

const REFETCH_MS = 5_000;
const path = ({ instance, device }: Target) => ({ instance_id: instance, device_id: device });

export const policiesInEffect = (target: Target) =>
  queryOptions({
    queryKey: [...keyOf(target), "policies"],
    queryFn: async () => {
      const answer = await body<{ policies: PolicyInEffect[] }>(
        client.GET(
          "/rollcall/v1/instances/{instance_id}/devices/{device_id}/policies" as never,
          {
            params: { path: path(target) },
          } as never,
        ),
      );
      return answer.policies;
    },
    refetchInterval: REFETCH_MS,
  });

/** What the policies say of a topic now; a change of them is seen at the next refetch. */
export const policyTest = (target: Target, action: Asked, topic: string) =>
  queryOptions({
    queryKey: [...keyOf(target), "policy-test", action, topic],
    queryFn: () =>
      body<PolicyTestAnswer>(
        client.POST(
          "/rollcall/v1/instances/{instance_id}/devices/{device_id}/policy-test" as never,
          {
            params: { path: path(target) },
            body: { action, topic },
          } as never,
        ),
      ),
    enabled: topic !== "",
    refetchInterval: REFETCH_MS,
    retry: false,
  });
