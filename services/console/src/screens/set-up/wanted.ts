import type { Schemas } from "../../api/client";
import { type Parameter, PARAMETERS } from "../template/form";

export const isParameter = (text: string | null): text is Parameter =>
  (PARAMETERS as readonly (string | null)[]).includes(text);

/** A template that names devices of a product by one attribute of the Subject and shows them by another. */
export function templateOf(
  name: string,
  product: string,
  nodeId: Parameter,
  deviceName: Parameter,
): Schemas["NewTemplate"] {
  const declared = Object.fromEntries([nodeId, deviceName].map((parameter) => [parameter, { type: "String" }]));
  return {
    template_name: name,
    template_body: {
      parameters: declared,
      resources: {
        device: {
          node_id: { ref: nodeId },
          device_name: { ref: deviceName },
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
