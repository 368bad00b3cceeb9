import { queryOptions } from "@tanstack/react-query";

import { body, client, type Schemas } from "./client";

export type DeletionImpact = Schemas["DeletionImpact"];

/** What is about to be deleted. */
export type Doomed =
  | { kind: "space"; space: string }
  | { kind: "product"; space: string; product: string }
  | { kind: "policy"; policy: string }
  | { kind: "template"; template: string };

function asked(instance: string, doomed: Doomed): Promise<DeletionImpact> {
  const at = { instance_id: instance };
  switch (doomed.kind) {
    case "space": {
      const params = { path: { ...at, app_id: doomed.space } };
      return body(client.GET("/rollcall/v1/instances/{instance_id}/apps/{app_id}/impact", { params }));
    }
    case "product": {
      const params = { path: { ...at, app_id: doomed.space, product_id: doomed.product } };
      const path = "/rollcall/v1/instances/{instance_id}/apps/{app_id}/products/{product_id}/impact";
      return body(client.GET(path, { params }));
    }
    case "policy": {
      const params = { path: { ...at, policy_id: doomed.policy } };
      return body(client.GET("/rollcall/v1/instances/{instance_id}/policies/{policy_id}/impact", { params }));
    }
    case "template": {
      const params = { path: { ...at, template_id: doomed.template } };
      return body(client.GET("/rollcall/v1/instances/{instance_id}/templates/{template_id}/impact", { params }));
    }
  }
}

/** What a deletion would come to. Asked anew at each opening, for it says whether the deletion would be refused. */
export const impactOf = (instance: string, doomed: Doomed) =>
  queryOptions({
    queryKey: ["impact", instance, doomed],
    queryFn: () => asked(instance, doomed),
    gcTime: 0,
    staleTime: 0,
  });
