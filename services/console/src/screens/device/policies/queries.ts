import { queryOptions } from "@tanstack/react-query";

import { body, client, type Schemas } from "../../../api/client";
import { keyOf, type Target } from "../queries";
import type { Asked } from "../search";

export type PolicyInEffect = Schemas["PolicyInEffect"];
/** What is tested: the generated type of an enumeration with described members is no text. */
export type PolicyTestAnswer = Omit<Schemas["PolicyTestAnswer"], "topic_scope">;

const REFETCH_MS = 5_000;
const path = ({ instance, device }: Target) => ({ instance_id: instance, device_id: device });

export const policiesInEffect = (target: Target) =>
  queryOptions({
    queryKey: [...keyOf(target), "policies"],
    queryFn: async () => {
      const params = { path: path(target) };
      const answer = await body(
        client.GET("/rollcall/v1/instances/{instance_id}/devices/{device_id}/policies", { params }),
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
      body(
        client.POST("/rollcall/v1/instances/{instance_id}/devices/{device_id}/policy-test", {
          params: { path: path(target) },
          body: { action: action as never, topic },
        }),
      ),
    enabled: topic !== "",
    refetchInterval: REFETCH_MS,
    retry: false,
  });
