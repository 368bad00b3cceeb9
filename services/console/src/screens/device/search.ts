/** The tabs of the screen, in their order. */
export const TABS = [
  "overview",
  "timeline",
  "policies",
  "uplinks",
  "messages",
  "commands",
  "properties",
  "shadow",
] as const;
export type Tab = (typeof TABS)[number];

/** What a device may ask a policy for. */
export const ASKED = ["publish", "subscribe"] as const;
export type Asked = (typeof ASKED)[number];

/** What the URL of this screen carries. */
export interface DeviceSearch {
  /** Absent for the overview. */
  tab?: Tab;
  /** What the policies' tester is asked; absent for `publish`. */
  ask?: Asked;
  /** The topic, or the topic filter, that it is asked for. */
  topic?: string;
}

/** MQTT 5, section 1.5.4: longer is no topic. */
const TOPIC_MAX = 65_535;

export function deviceSearch(search: Record<string, unknown>): DeviceSearch {
  const tab = TABS.find((tab) => tab === search["tab"]);
  const ask = ASKED.find((ask) => ask === search["ask"]);
  const topic = typeof search["topic"] === "number" ? search["topic"].toString() : search["topic"];
  return {
    ...(tab !== undefined && tab !== "overview" && { tab }),
    ...(ask !== undefined && ask !== "publish" && { ask }),
    ...(typeof topic === "string" && topic !== "" && { topic: topic.slice(0, TOPIC_MAX) }),
  };
}
