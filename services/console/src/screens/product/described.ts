import type { Schemas } from "../../api/client";
import type { Place } from "../../api/place";
import type { Described } from "../../kit/CopyAs";
import { inSpace } from "../../kit/copy/fleet";

type Said = Pick<Schemas["NewProduct"], "name" | "device_type"> &
  Partial<
    Pick<
      Schemas["ProductShown"],
      "manufacturer_name" | "industry" | "description" | "data_format" | "service_capabilities"
    >
  >;

/** What a fleet file declares for a product; what is empty is left out. */
export function declared(instance: string, space: string, id: string, said: Said): unknown {
  const { name, device_type, manufacturer_name, industry, description, data_format, service_capabilities } = said;
  const fields = { name, device_type, manufacturer_name, industry, description, data_format, service_capabilities };
  const filled = Object.entries(fields).filter(([, value]) => value !== "" && value !== null && value?.length !== 0);
  return inSpace(instance, space, { products: [{ id, ...Object.fromEntries(filled) }] });
}

/** How a product is made without the console. A fleet file gives it an id, so that one without has no such form. */
export function described({ instance, project }: Place, wanted: Schemas["NewProduct"]): Described {
  const request = { method: "POST" as const, path: `/v5/iot/${project}/products`, body: wanted, instance };
  const { product_id: id, app_id: space } = wanted;
  return typeof id === "string" && typeof space === "string"
    ? { request, fleet: declared(instance, space, id, wanted) }
    : { request };
}
