import { queryOptions } from "@tanstack/react-query";

import { body, client, type Schemas } from "../../api/client";
import { basicTime, MINUTES } from "./activity";

export type Instance = Schemas["InstanceShown"];
export type Activity = Schemas["Activity"];
export type Overview = Schemas["InstanceOverview"];
export type Warning = Schemas["InstanceWarning"];

/** Every instance that the operator may see, with how far it is. */
export const instances = queryOptions({
  queryKey: ["instances"],
  queryFn: () => body(client.GET("/rollcall/v1/instances")),
  refetchInterval: 5_000,
});

/** What the last hour brought, by the minute. */
export const activity = (instance: string) =>
  queryOptions({
    queryKey: ["activity", instance],
    queryFn: () => {
      const query = { since: basicTime(new Date(Date.now() - MINUTES * 60_000)) };
      const params = { path: { instance_id: instance }, query };
      return body(client.GET("/rollcall/v1/instances/{instance_id}/activity", { params }));
    },
    refetchInterval: 15_000,
  });

/** How it stands, and what in it is hardly as it was meant. */
export const overview = (instance: string) =>
  queryOptions({
    queryKey: ["overview", instance],
    queryFn: () => {
      const params = { path: { instance_id: instance } };
      return body(client.GET("/rollcall/v1/instances/{instance_id}/overview", { params }));
    },
    refetchInterval: 10_000,
  });
