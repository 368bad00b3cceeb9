import type { Schemas } from "../../api/client";

/** The parts of a Subject that a template can read, as its parameters name them. */
export const FIELDS = [
  "common_name",
  "organization",
  "organizational_unit",
  "country",
  "state_name",
  "serial_number",
  "distinguished_name_qualifier",
] as const;
export type Field = (typeof FIELDS)[number];

export const isField = (text: string | null): text is Field => (FIELDS as readonly (string | null)[]).includes(text);

/** A template that names devices of a product by one field and shows them by another. */
export function templateOf(name: string, product: string, nodeId: Field, deviceName: Field): Schemas["NewTemplate"] {
  const parameter = (field: Field) => `iotda::certificate::${field}` as const;
  const declared = Object.fromEntries([nodeId, deviceName].map((field) => [parameter(field), { type: "String" }]));
  return {
    template_name: name,
    template_body: {
      parameters: declared,
      resources: {
        device: {
          node_id: { ref: parameter(nodeId) },
          device_name: { ref: parameter(deviceName) },
          product_id: product,
        },
        policy: { policy_ids: [] },
      },
    },
  };
}

/** A policy that allows what the lines say, one pattern of topics each. */
export function policyOf(name: string, space: string, lines: string): Schemas["NewPolicy"] & { app_id: string } {
  const patterns = lines.split("\n").map((line) => line.trim());
  return {
    app_id: space,
    policy_name: name,
    statement: [
      {
        effect: "ALLOW",
        actions: ["iotda:devices:publish", "iotda:devices:subscribe"],
        resources: patterns.filter((pattern) => pattern !== "").map((pattern) => `topic:${pattern}`),
      },
    ],
  };
}

/** What of a text may be in a name or an id: the rest becomes `-`. */
export function nameOf(text: string, most: number): string {
  return text.replaceAll(/[^\w-]+/g, "-").slice(0, most);
}
