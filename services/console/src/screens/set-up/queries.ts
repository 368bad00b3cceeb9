import { queryOptions, useQueries, useQuery } from "@tanstack/react-query";

import { at, body, client, type Schemas } from "../../api/client";
import { caCertificates, policies, products, spaces, type Template, templates } from "../../api/lists";
import type { Place } from "../../api/place";
import { overview } from "../instances/queries";
import { bind, unbind } from "../policy/queries";
import { DEFAULT_POLICY } from "../policy/statements";
import type { Facts } from "./progress";

const operation = ({ instance, project }: Place) => ({
  headers: at(instance),
  params: { path: { project_id: project } },
});

/** A template with its body, which lists leave out. */
export const template = (place: Place, id: string) =>
  queryOptions({
    queryKey: ["templates", place.instance, id],
    queryFn: () => {
      const path = { project_id: place.project, template_id: id };
      const params = { headers: at(place.instance), params: { path } };
      return body(client.GET("/v5/iot/{project_id}/provisioning-templates/{template_id}", params));
    },
  });

/** The device that was registered last in a resource space by its own connecting; it is waited for. */
export const firstDevice = (place: Place, space: string | undefined) =>
  queryOptions({
    queryKey: ["set-up", place.instance, "device", space],
    queryFn: async () => {
      for (const status of ["ONLINE", "OFFLINE"] as const) {
        const query = { limit: 1, status, ...(space === undefined ? {} : { app_id: space }) };
        const params = { path: { instance_id: place.instance }, query };
        const { devices } = await body(client.GET("/rollcall/v1/instances/{instance_id}/device-list", { params }));
        if (devices[0] !== undefined) {
          return devices[0];
        }
      }
      return null;
    },
    refetchInterval: 2_000,
  });

/** Everything that progress is told by; `undefined` until all of it is there. */
export function useFacts(place: Place, space: string | undefined): { facts: Facts | undefined; error: Error | null } {
  const lists = [
    useQuery(spaces(place)),
    useQuery(products(place)),
    useQuery(templates(place)),
    useQuery(policies(place)),
    useQuery(caCertificates(place)),
  ] as const;
  const [spacesRead, productsRead, templatesRead, policiesRead, certificatesRead] = lists;
  const bodies = useQueries({
    queries: (templatesRead.data ?? []).map(({ template_id }) => template(place, template_id)),
  });
  const device = useQuery(firstDevice(place, space));
  const standing = useQuery(overview(place.instance));
  const error = [...lists, device, standing].find((query) => query.error !== null)?.error ?? null;
  if (
    spacesRead.data === undefined ||
    productsRead.data === undefined ||
    templatesRead.data === undefined ||
    policiesRead.data === undefined ||
    certificatesRead.data === undefined ||
    device.data === undefined ||
    standing.isPending ||
    bodies.some(({ isPending }) => isPending)
  ) {
    return { facts: undefined, error };
  }
  const facts = {
    spaces: spacesRead.data,
    products: productsRead.data,
    templates: bodies.map(({ data }) => data).filter((one): one is Template => one !== undefined),
    policies: policiesRead.data,
    certificates: certificatesRead.data,
    warnings: standing.data?.warnings ?? [],
    firstDevice: device.data?.device_id,
  };
  return { facts, error };
}

export function createSpace(place: Place, name: string): Promise<Schemas["Application"]> {
  return body(client.POST("/v5/iot/{project_id}/apps", { ...operation(place), body: { app_name: name } }));
}

export function createProduct(place: Place, space: string, name: string, deviceType: string) {
  const wanted = {
    app_id: space,
    name,
    device_type: deviceType,
    protocol_type: "MQTT",
    data_format: "json",
    service_capabilities: [],
  };
  return body(client.POST("/v5/iot/{project_id}/products", { ...operation(place), body: wanted }));
}

export function createTemplate(place: Place, wanted: Schemas["NewTemplate"]) {
  return body(client.POST("/v5/iot/{project_id}/provisioning-templates", { ...operation(place), body: wanted }));
}

/** Creates a policy, binds it to a product, and then takes the space's open one away if that is wanted. */
export async function createPolicy(
  place: Place,
  wanted: Schemas["NewPolicy"] & { app_id: string },
  product: string,
  closes: boolean,
): Promise<void> {
  const { policy_id } = await body(
    client.POST("/v5/iot/{project_id}/device-policies", { ...operation(place), body: wanted }),
  );
  await bindPolicy(place, policy_id, product);
  if (closes) {
    const { params, headers } = operation(place);
    const query = { app_id: wanted.app_id, policy_name: DEFAULT_POLICY, limit: 1 };
    const found = await body(
      client.GET("/v5/iot/{project_id}/device-policies", { headers, params: { ...params, query } }),
    );
    const [open] = found.policies;
    if (open !== undefined) {
      await unbind(place, open.policy_id, "app", wanted.app_id);
    }
  }
}

/** Binds a policy to a product. The API answers with success where a target was not bound, and says which. */
export async function bindPolicy(place: Place, policy: string, product: string): Promise<void> {
  const [failure] = await bind(place, policy, "product", product);
  if (failure !== undefined) {
    throw new Error(failure);
  }
}

export type Debugged = Schemas["DebugAnswer"];

/** What a certificate would become if it connected now. */
export const debugged = ({ instance }: Place, pem: string) =>
  queryOptions({
    queryKey: ["debugged", instance, pem],
    queryFn: () =>
      body(
        client.POST("/rollcall/v1/instances/{instance_id}/debug", {
          params: { path: { instance_id: instance } },
          body: { certificate: pem },
        }),
      ),
    enabled: pem.includes("-----END CERTIFICATE-----"),
    staleTime: 0,
  });
