import { queryOptions } from "@tanstack/react-query";

import { at, body, client, type Schemas } from "../../api/client";
import type { Template } from "../../api/lists";
import type { Place } from "../../api/place";
import type { JsonObject } from "./json";

export type WhatIf = Schemas["WhatIfAnswer"];

const TEMPLATES = "/v5/iot/{project_id}/provisioning-templates";
const TEMPLATE = "/v5/iot/{project_id}/provisioning-templates/{template_id}";

const path = ({ project }: Place, id: string) => ({ path: { project_id: project, template_id: id } });

/** What an operator writes is sent as it is written: the API says what is wrong with it. */
const asBody = (json: JsonObject) => json as unknown as Schemas["TemplateBody"];

export const template = (place: Place, id: string) =>
  queryOptions({
    queryKey: ["templates", place.instance, id],
    queryFn: () => body(client.GET(TEMPLATE, { headers: at(place.instance), params: path(place, id) })),
    refetchInterval: 10_000,
  });

/** What another body would do to the devices that have come by a template. Asked anew at each opening. */
export const whatIf = (place: Place, id: string, json: JsonObject) =>
  queryOptions({
    queryKey: ["what-if", place.instance, id, json],
    queryFn: () =>
      body(
        client.POST("/rollcall/v1/instances/{instance_id}/templates/{template_id}/what-if", {
          params: { path: { instance_id: place.instance, template_id: id } },
          body: { template_body: json },
        }),
      ),
    gcTime: 0,
    refetchOnWindowFocus: false,
  });

export type Preview = Schemas["PreviewAnswer"];

/** What a template, kept or not, makes of a certificate. */
export const preview = (place: Place, json: JsonObject, certificate: string) =>
  queryOptions({
    queryKey: ["template-preview", place.instance, json, certificate],
    queryFn: () =>
      body(
        client.POST("/rollcall/v1/instances/{instance_id}/templates/preview", {
          params: { path: { instance_id: place.instance } },
          body: { template: asBody(json), certificate },
        }),
      ),
    retry: false,
  });

export interface Draft {
  name: string;
  description: string;
  body: JsonObject;
}

export function create(place: Place, { name, description, body: json }: Draft): Promise<Template> {
  const said = { template_name: name, description, template_body: asBody(json) };
  const params = { path: { project_id: place.project } };
  return body(client.POST(TEMPLATES, { headers: at(place.instance), params, body: said }));
}

export function update(place: Place, id: string, changed: { description?: string; body?: JsonObject }) {
  const said = {
    ...(changed.description === undefined ? {} : { description: changed.description }),
    ...(changed.body === undefined ? {} : { template_body: asBody(changed.body) }),
  };
  return body(client.PUT(TEMPLATE, { headers: at(place.instance), params: path(place, id), body: said }));
}

export function remove(place: Place, id: string) {
  return client.DELETE(TEMPLATE, { headers: at(place.instance), params: path(place, id) });
}
