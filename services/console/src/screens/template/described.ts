import type { Place } from "../../api/place";
import type { Described } from "../../kit/CopyAs";
import type { Draft } from "./queries";

/** How a template is made, or changed where it has an id, without the console. */
export function described({ instance, project }: Place, draft: Draft, id?: string): Described {
  const { name, description, body } = draft;
  const list = `/v5/iot/${project}/provisioning-templates`;
  const declared = { id: id ?? name, name, ...(description === "" ? {} : { description }), body };
  const fleet = { instances: [{ id: instance, templates: [declared] }] };
  if (id === undefined) {
    const said = { template_name: name, description, template_body: body };
    return { request: { method: "POST", path: list, body: said, instance }, fleet };
  }
  const said = { description, template_body: body };
  return { request: { method: "PUT", path: `${list}/${encodeURIComponent(id)}`, body: said, instance }, fleet };
}
