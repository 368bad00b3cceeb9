// The form of a template body, read out of the JSON, which is the only state. Any JSON object has one: what the form cannot
// show is named by its path, so that it is not taken for absent.

import { isObject, type Json, type JsonObject } from "./json";

/** The seven parameters of the v5 API, in the order of its page: the Subject attributes of a certificate. */
export const PARAMETERS = [
  "iotda::certificate::country",
  "iotda::certificate::organization",
  "iotda::certificate::organizational_unit",
  "iotda::certificate::distinguished_name_qualifier",
  "iotda::certificate::state_name",
  "iotda::certificate::common_name",
  "iotda::certificate::serial_number",
] as const;
export type Parameter = (typeof PARAMETERS)[number];

/** The fields of a device that only ever come from the certificate. */
export const REFERENCES = ["node_id", "device_id", "device_name"] as const;
export type ReferenceField = (typeof REFERENCES)[number];

/** Where a value of the device comes from. */
export type Source = { from: "nowhere" } | { from: "text"; text: string } | { from: "certificate"; parameter: string };

export interface Tag {
  /** Its place in the list of the JSON, in which there may be more than the form shows. */
  index: number;
  key: Source;
  value: Source;
}

export interface Form {
  /** Those that are declared. */
  parameters: Parameter[];
  references: Record<ReferenceField, Source>;
  product: Source;
  tags: Tag[];
  policies: string[];
  onCertificateChange: "reject" | "replace";
  /** The paths of what is in the JSON and not in the form. */
  others: string[];
}

export function formOf(body: JsonObject): Form {
  const others: string[] = [];
  const other = (path: string): never[] => {
    others.push(path);
    return [];
  };
  const object = (value: Json | undefined, path: string, known: readonly string[]) => {
    if (value === undefined || value === null) {
      return {};
    }
    if (!isObject(value)) {
      other(path);
      return {};
    }
    others.push(...Object.keys(value).flatMap((name) => (known.includes(name) ? [] : [join(path, name)])));
    return value;
  };
  const list = (value: Json | undefined, path: string): Json[] => {
    if (value === undefined || value === null) {
      return [];
    }
    return Array.isArray(value) ? value : other(path);
  };
  const source = (value: Json | undefined, path: string, mayBeText: boolean): Source => {
    if (value === undefined || value === null) {
      return { from: "nowhere" };
    }
    if (typeof value === "string" && mayBeText) {
      return { from: "text", text: value };
    }
    if (isObject(value) && typeof value["ref"] === "string") {
      object(value, path, ["ref"]);
      return { from: "certificate", parameter: value["ref"] };
    }
    other(path);
    return { from: "nowhere" };
  };

  const top = object(body, "", ["parameters", "resources", "on_certificate_change"]);
  const declared = object(top["parameters"], "parameters", PARAMETERS);
  const resources = object(top["resources"], "resources", ["device", "policy"]);
  const known = [...REFERENCES, "product_id", "tags"];
  const device = object(resources["device"], "resources.device", known);
  const policy = object(resources["policy"], "resources.policy", ["policy_ids"]);
  const reference = (name: ReferenceField) => source(device[name], `resources.device.${name}`, false);
  const change = top["on_certificate_change"] ?? "reject";
  if (change !== "reject" && change !== "replace") {
    other("on_certificate_change");
  }
  return {
    parameters: PARAMETERS.filter((name) => name in declared),
    references: {
      node_id: reference("node_id"),
      device_id: reference("device_id"),
      device_name: reference("device_name"),
    },
    product: source(device["product_id"], "resources.device.product_id", true),
    tags: list(device["tags"], "resources.device.tags").flatMap((tag, index) => {
      const path = `resources.device.tags[${index}]`;
      if (!isObject(tag)) {
        return other(path);
      }
      object(tag, path, ["tag_key", "tag_value"]);
      const key = source(tag["tag_key"], `${path}.tag_key`, true);
      return [{ index, key, value: source(tag["tag_value"], `${path}.tag_value`, true) }];
    }),
    policies: list(policy["policy_ids"], "resources.policy.policy_ids").flatMap((id, index) =>
      typeof id === "string" ? [id] : other(`resources.policy.policy_ids[${index}]`),
    ),
    onCertificateChange: change === "replace" ? "replace" : "reject",
    others,
  };
}

/** A field that refers to a parameter; of a tag with its place in the list of the JSON. */
export type Use =
  { field: ReferenceField | "product_id"; index?: never } | { field: "tag_key" | "tag_value"; index: number };

/** The fields that refer to each parameter. */
export function usesOf(form: Form): Map<string, Use[]> {
  const sources: [Use, Source][] = [
    ...REFERENCES.map((field): [Use, Source] => [{ field }, form.references[field]]),
    [{ field: "product_id" }, form.product],
    ...form.tags.flatMap(({ index, key, value }): [Use, Source][] => [
      [{ field: "tag_key", index }, key],
      [{ field: "tag_value", index }, value],
    ]),
  ];
  const uses = new Map<string, Use[]>();
  for (const [use, source] of sources) {
    if (source.from === "certificate") {
      uses.set(source.parameter, [...(uses.get(source.parameter) ?? []), use]);
    }
  }
  return uses;
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
