import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { at, body, client, type Schemas } from "../../api/client";
import type { Place } from "../../api/place";
import type { Described } from "../../kit/CopyAs";
import { inSpace } from "../../kit/copy/fleet";
import type { Statement } from "./statements";

export type TargetType = Schemas["TargetType"];

/** Entries of one page, the most that the API gives. */
const PAGE = 50;

const of = ({ instance, project }: Place, policy: string) => ({
  headers: at(instance),
  params: { path: { project_id: project, policy_id: policy } },
});

/** One policy, with its statements. */
export const policy = (place: Place, id: string) =>
  queryOptions({
    queryKey: ["policies", place.instance, id],
    queryFn: () => body(client.GET("/v5/iot/{project_id}/device-policies/{policy_id}", of(place, id))),
  });

/** What it is bound to, by pages. */
export const targets = (place: Place, id: string) =>
  infiniteQueryOptions({
    queryKey: ["policies", place.instance, id, "targets"],
    queryFn: ({ pageParam }) =>
      body(
        client.POST("/v5/iot/{project_id}/device-policies/{policy_id}/list-targets", {
          ...of(place, id),
          body: { limit: PAGE, ...(pageParam === undefined ? {} : { marker: pageParam }) },
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => (last.targets.length < PAGE ? undefined : (last.page.marker ?? undefined)),
  });

/** What a fleet file declares for it. */
export const declared = (instance: string, { app_id, policy_id, policy_name, statement }: Schemas["DevicePolicy"]) =>
  inSpace(instance, app_id, { policies: [{ id: policy_id, name: policy_name, statement }] });

/** How one is made without the console. A fleet file would give it an id, which the v5 operation does not let one choose. */
export const described = ({ instance, project }: Place, wanted: Schemas["NewPolicy"]): Described => ({
  request: { method: "POST", path: `/v5/iot/${project}/device-policies`, body: wanted, instance },
});

export function create(place: Place, space: string | undefined, name: string, statement: Statement[]) {
  const wanted = { policy_name: name, statement, ...(space === undefined ? {} : { app_id: space }) };
  const params = { path: { project_id: place.project } };
  return body(
    client.POST("/v5/iot/{project_id}/device-policies", { headers: at(place.instance), params, body: wanted }),
  );
}

export function update(place: Place, id: string, name: string, statement: Statement[]) {
  const wanted = { policy_name: name, statement };
  return body(client.PUT("/v5/iot/{project_id}/device-policies/{policy_id}", { ...of(place, id), body: wanted }));
}

export async function remove(place: Place, id: string): Promise<void> {
  await client.DELETE("/v5/iot/{project_id}/device-policies/{policy_id}", of(place, id));
}

/** Why a target was not bound or unbound, in the API's words; none where it was. */
const failures = ({ failure_targets }: Schemas["TargetsChanged"]) => failure_targets.map(({ error_msg }) => error_msg);

export async function bind(place: Place, id: string, type: TargetType, target: string): Promise<string[]> {
  const wanted = { target_type: type, target_ids: [target] };
  const path = "/v5/iot/{project_id}/device-policies/{policy_id}/bind";
  return failures(await body(client.POST(path, { ...of(place, id), body: wanted })));
}

export async function unbind(place: Place, id: string, type: TargetType, target: string): Promise<void> {
  const wanted = { target_type: type, target_ids: [target] };
  const path = "/v5/iot/{project_id}/device-policies/{policy_id}/unbind";
  const [failure] = failures(await body(client.POST(path, { ...of(place, id), body: wanted })));
  if (failure !== undefined) {
    throw new Error(failure);
  }
}
