import { expect, test } from "vitest";

import { mosquittoLine, topicOf } from "./device";

const allow = (...resources: string[]) => ({
  effect: "ALLOW" as const,
  actions: ["iotda:devices:publish" as const],
  resources,
});

test("the line publishes to what the policy allows", () => {
  expect(topicOf([allow("topic:meters/${devices.deviceId}/*")], "meter", "out/m-1")).toBe("meters/meter_m-1/hello");
  expect(topicOf([{ ...allow("topic:a"), effect: "DENY" as const }, allow("topic:b?")], "meter", "m-1")).toBe("bx");
  expect(topicOf([], undefined, "m-1")).toBe("hello");
});

test("each line is one command, whatever the names are", () => {
  const lines = mosquittoLine({ host: "localhost", port: 8883, ca: "a b.crt", files: "out/m-1", topic: "it's" });
  expect(lines.join("\n")).toBe(`mosquitto_pub -h localhost -p 8883 --cafile 'a b.crt' \\
  --cert out/m-1.crt --key out/m-1.key \\
  -i m-1 -q 1 -t 'it'\\''s' -m hello`);
});
