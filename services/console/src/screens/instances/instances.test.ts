import { describe, expect, it } from "vitest";

import { basicTime, lastHour } from "./activity";
import { byRegion } from "./list";
import type { Instance } from "./queries";
import { instancesSearch } from "./search";
import { standing } from "./standing";

const instance = (id: string, region: string, devices?: number): Instance => ({
  id,
  region,
  access_domain: `${id}.example`,
  edition: "standard",
  ...(devices !== undefined && { status: { devices, online: 0, position: 1, digest: "", caught_up: true } }),
});

describe("byRegion", () => {
  const list = [
    instance("b10", "south", 1),
    instance("b9", "south", 5),
    instance("a", "north"),
    instance("c", "south"),
  ];
  const ids = (found: [string, Instance[]][]) => found.map(([region, list]) => [region, ...list.map(({ id }) => id)]);

  it("sorts regions and names, numbers in them as numbers", () => {
    expect(ids(byRegion(list))).toEqual([
      ["north", "a"],
      ["south", "b9", "b10", "c"],
    ]);
  });
  it("has the most first, and what is not known last", () => {
    expect(ids(byRegion(list, { sort: "devices" }))[1]).toEqual(["south", "b9", "b10", "c"]);
  });
  it("finds by id, region and access domain", () => {
    expect(ids(byRegion(list, { q: "SOUTH b1" }))).toEqual([["south", "b10"]]);
    expect(byRegion(list, { q: "nowhere" })).toEqual([]);
  });
});

it("takes of the URL what it knows", () => {
  expect(instancesSearch({ q: "x", sort: "online", more: 1 })).toEqual({ q: "x", sort: "online" });
  expect(instancesSearch({ q: 1, sort: "toString" })).toEqual({});
});

describe("lastHour", () => {
  it("fills in the minutes in which nothing happened, and leaves out what is older", () => {
    const minute = (minute: string, registrations: number) => ({ minute, registrations, connects: 0, refusals: 2 });
    const minutes = [
      minute("2026-01-01T10:59:00Z", 9),
      minute("2026-01-01T11:01:00Z", 3),
      minute("2026-01-01T12:00:00Z", 4),
    ];
    const hour = lastHour({ since: "2026-01-01T11:00:00Z", minutes }, new Date("2026-01-01T12:00:30Z"));
    expect(hour.times).toHaveLength(60);
    expect(hour.times.at(-1)).toBe(Date.parse("2026-01-01T12:00:00Z") / 1000);
    expect([hour.registrations[0], hour.registrations.at(-1)]).toEqual([3, 4]);
    expect(hour.registrations.reduce((sum, next) => sum + next)).toBe(7);
    expect(hour.refusals.reduce((sum, next) => sum + next)).toBe(4);
  });
  it("writes times as v5 does", () => {
    expect(basicTime(new Date("2026-01-02T03:04:05.678Z"))).toBe("20260102T030405Z");
  });
});

describe("standing", () => {
  const view = { position: 1, digest: "", caught_up: true };
  it("says what is worst", () => {
    expect(standing({ ...view, age_ms: 400, agrees: true }).tone).toBe("good");
    expect(standing({ ...view, age_ms: 400, agrees: false }).tone).toBe("bad");
    expect(standing({ ...view, unready: "behind" }).tone).toBe("bad");
    expect(standing({ ...view, caught_up: false, age_ms: 400 }).tone).toBe("warn");
    expect(standing({ ...view, age_ms: 60_000, agrees: true }).tone).toBe("warn");
    expect(standing({ ...view }).tone).toBe("warn");
  });
});
