// @vitest-environment jsdom

import { expect, it } from "vitest";

import type { Schemas } from "../api/client";
import { matches, matching, merged } from "./paletteSearch";

it("matches by every word, in any case and order", () => {
  expect(matches("", "CA certificates")).toBe(true);
  expect(matches("cert ca", "CA certificates")).toBe(true);
  expect(matches("ca x", "CA certificates")).toBe(false);
});

it("puts what begins so before what only has it in its midst", () => {
  const screens = ["Attempts", "Templates", "CA certificates", "Debug a certificate"];
  expect(matching("temp", screens, (name) => name)).toEqual(["Templates", "Attempts"]);
  expect(matching("a", screens, (name) => name)).toEqual([
    "Attempts",
    "Debug a certificate",
    "Templates",
    "CA certificates",
  ]);
  expect(matching("", screens, (name) => name)).toEqual(screens);
});

it("offers each device once", () => {
  const device = (device_id: string) => ({ device_id }) as Schemas["DeviceSummary"];
  expect(merged([device("a"), device("b")], [device("b"), device("c")]).map((d) => d.device_id)).toEqual([
    "a",
    "b",
    "c",
  ]);
});
