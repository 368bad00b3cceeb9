import { queryOptions } from "@tanstack/react-query";

import { at, body, client, type Schemas } from "../../api/client";
import type { Place } from "../../api/place";
import type { Described } from "../../kit/CopyAs";
import { inSpace } from "../../kit/copy/fleet";

const of = ({ instance, project }: Place, space: string) => ({
  headers: at(instance),
  params: { path: { project_id: project, app_id: space } },
});

export const space = (place: Place, id: string) =>
  queryOptions({
    queryKey: ["spaces", place.instance, id],
    queryFn: () => body(client.GET("/v5/iot/{project_id}/apps/{app_id}", of(place, id))),
  });

/** Creates a resource space under an id of the caller's choice, which the v5 operation does not let one choose. */
export function declare({ instance }: Place, id: string, name: string, defaultPolicy: Schemas["DefaultPolicy"]) {
  return body(
    client.PUT("/rollcall/v1/instances/{instance_id}/apps/{app_id}", {
      params: { path: { instance_id: instance, app_id: id } },
      body: { app_name: name, default_policy: defaultPolicy },
    }),
  );
}

/** The same without the console. */
export const described = (
  instance: string,
  id: string,
  name: string,
  default_policy: Schemas["DefaultPolicy"],
): Described => ({
  request: {
    method: "PUT",
    path: `/rollcall/v1/instances/${instance}/apps/${encodeURIComponent(id)}`,
    body: { app_name: name, default_policy },
  },
  fleet: inSpace(instance, id, { name, default_policy }),
});

export function rename(place: Place, id: string, name: string) {
  return body(client.PUT("/v5/iot/{project_id}/apps/{app_id}", { ...of(place, id), body: { app_name: name } }));
}

export async function remove(place: Place, id: string): Promise<void> {
  await client.DELETE("/v5/iot/{project_id}/apps/{app_id}", of(place, id));
}
