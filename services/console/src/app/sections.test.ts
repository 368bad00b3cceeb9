import { expect, it } from "vitest";

import { sameScreen } from "./sections";

it("finds the same screen for another instance", () => {
  expect(sameScreen("/instances/north/attempts")).toBe("/instances/$instance/attempts");
  expect(sameScreen("/instances/north/ca-certificates/demo-ca")).toBe("/instances/$instance/ca-certificates");
  expect(sameScreen("/console/instances/north/live")).toBe("/instances/$instance/live");
});

it("begins with the devices where there is no such screen", () => {
  for (const path of ["/", "/instances/north", "/account", "/instances/north/"]) {
    expect(sameScreen(path)).toBe("/instances/$instance/devices");
  }
});
