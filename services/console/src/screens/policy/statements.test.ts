import { expect, test } from "vitest";

import { emptyStatement, isStatements, linesOf, resourcesOf } from "./statements";

test("the form's lines are the resources and back", () => {
  const resources = ["topic:a/${devices.deviceId}/*", "topic:b?"];
  expect(resourcesOf(linesOf({ ...emptyStatement, resources }))).toEqual(resources);
  expect(resourcesOf("\n a/b \n\n")).toEqual(["topic:a/b"]);
});

test("what the form cannot show stays text", () => {
  expect(isStatements([{ ...emptyStatement, resources: ["topic:a"] }])).toBe(true);
  for (const value of [
    {},
    [1],
    [{ effect: "ALLOW" }],
    [{ ...emptyStatement, effect: "allow" }],
    [{ ...emptyStatement, condition: {} }],
  ]) {
    expect(isStatements(value), JSON.stringify(value)).toBe(false);
  }
});
