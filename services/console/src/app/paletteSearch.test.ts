// @vitest-environment jsdom

import { expect, it } from "vitest";

import type { Schemas } from "../api/client";
import { matches, merged } from "./paletteSearch";

it("matches by every word, in any case and order", () => {
  expect(matches("", "CA certificates")).toBe(true);
  expect(matches("cert ca", "CA certificates")).toBe(true);
  expect(matches("ca x", "CA certificates")).toBe(false);
});

it("offers each device once", () => {
  const device = (device_id: string) => ({ device_id }) as Schemas["DeviceSummary"];
  expect(merged([device("a"), device("b")], [device("b"), device("c")]).map((d) => d.device_id)).toEqual([
    "a",
    "b",
    "c",
  ]);
});
