import type { Schemas } from "../../api/client";

export type Statement = Schemas["PolicyStatement"];

/** The policy that a resource space of the v5 API begins with: it allows every custom topic. */
export const DEFAULT_POLICY = "system_default_policy";

export const PUBLISH = "iotda:devices:publish";
export const SUBSCRIBE = "iotda:devices:subscribe";

/** What a resource of a statement begins with. */
const TOPIC = "topic:";

export const emptyStatement: Statement = { effect: "ALLOW", actions: [PUBLISH, SUBSCRIBE], resources: [] };

/** Patterns of topics, one a line, as the form shows them. */
export function linesOf({ resources }: Statement): string {
  return resources.map((resource) => (resource.startsWith(TOPIC) ? resource.slice(TOPIC.length) : resource)).join("\n");
}

/** The resources that lines stand for; blank lines stand for none. */
export function resourcesOf(lines: string): string[] {
  const patterns = lines.split("\n").map((line) => line.trim());
  return patterns.filter((pattern) => pattern !== "").map((pattern) => TOPIC + pattern);
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");

/** Whether the form can show it; what the API makes of it is the API's to say. */
export function isStatements(value: unknown): value is Statement[] {
  return (
    Array.isArray(value) &&
    value.every((one: unknown) => {
      if (typeof one !== "object" || one === null) {
        return false;
      }
      const { effect, actions, resources, ...rest } = one as Record<string, unknown>;
      return (
        (effect === "ALLOW" || effect === "DENY") &&
        isTexts(actions) &&
        isTexts(resources) &&
        Object.keys(rest).length === 0
      );
    })
  );
}
