import { queryOptions } from "@tanstack/react-query";

import { body, client, type Schemas } from "../../api/client";

export type Instance = Schemas["InstanceShown"];

/** Every instance that the operator may see, with how far it is. */
export const instances = queryOptions({
  queryKey: ["instances"],
  queryFn: () => body(client.GET("/rollcall/v1/instances")),
  refetchInterval: 5_000,
});
