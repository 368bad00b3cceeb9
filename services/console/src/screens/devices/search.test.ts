import { expect, test } from "vitest";

import { deviceListQuery, listPath } from "./filters";
import { devicesSearch, filtersOf, isFiltered } from "./search";

const now = new Date("2026-11-28T19:00:00.123Z");

test("the URL's filters are read, and what is none of them is left out", () => {
  expect(devicesSearch({ q: "truck", state: "frozen", product: "p1", row: 12, other: 1 })).toEqual({
    q: "truck",
    state: "frozen",
    product: "p1",
    row: 12,
  });
  expect(devicesSearch({ q: "  ", state: "gone", space: ["a"], ca: null, row: -1 })).toEqual({});
});

test("a search that the router took for a number is the text that was typed", () => {
  expect(devicesSearch({ q: 42 })).toEqual({ q: "42" });
});

test("a text beyond what the API takes is cut", () => {
  expect(devicesSearch({ q: "x".repeat(100_000) }).q).toHaveLength(256);
});

test("where the list was left is no filter", () => {
  expect(isFiltered({ row: 7 })).toBe(false);
  expect(filtersOf({ row: 7, template: "t1" })).toEqual({ template: "t1" });
});

test("each filter becomes the API's, and times are its own form", () => {
  expect(deviceListQuery({ q: " a ", product: "p", space: "s", ca: "c", template: "t", state: "never" }, now)).toEqual({
    q: "a",
    status: "INACTIVE",
    product_id: "p",
    app_id: "s",
    certificate_id: "c",
    template_id: "t",
  });
  expect(deviceListQuery({ state: "refused" }, now)).toEqual({ refused_since: "20261127T190000Z" });
  expect(deviceListQuery({ state: "ending" }, now)).toEqual({ certificate_ends_until: "20261228T190000Z" });
});

test("the CSV is of the same filters", () => {
  expect(listPath("north", { q: "a&b=c", state: "online" }, now, "/csv")).toBe(
    "/rollcall/v1/instances/north/device-list/csv?q=a%26b%3Dc&status=ONLINE",
  );
  expect(listPath("north", {}, now)).toBe("/rollcall/v1/instances/north/device-list");
});
