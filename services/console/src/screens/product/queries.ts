import { queryOptions } from "@tanstack/react-query";

import { at, body, client, type Schemas } from "../../api/client";
import type { Place } from "../../api/place";

/** A product, in the resource space that the URL names. */
export interface Which {
  product: string;
  space: string | undefined;
}

const of = ({ instance, project }: Place, { product, space }: Which) => ({
  headers: at(instance),
  params: {
    path: { project_id: project, product_id: product },
    query: space === undefined ? {} : { app_id: space },
  },
});

export const product = (place: Place, which: Which) =>
  queryOptions({
    queryKey: ["products", place.instance, which],
    queryFn: () => body(client.GET("/v5/iot/{project_id}/products/{product_id}", of(place, which))),
  });

export function create(place: Place, wanted: Schemas["NewProduct"]): Promise<Schemas["ProductShown"]> {
  const params = { path: { project_id: place.project } };
  return body(client.POST("/v5/iot/{project_id}/products", { headers: at(place.instance), params, body: wanted }));
}

export function update(place: Place, { product, space }: Which, wanted: Schemas["ProductChange"]) {
  const params = { path: { project_id: place.project, product_id: product } };
  const changed = space === undefined ? wanted : { ...wanted, app_id: space };
  const path = "/v5/iot/{project_id}/products/{product_id}";
  return body(client.PUT(path, { headers: at(place.instance), params, body: changed }));
}

export async function remove(place: Place, which: Which): Promise<void> {
  await client.DELETE("/v5/iot/{project_id}/products/{product_id}", of(place, which));
}
