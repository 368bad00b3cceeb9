import { expect, test } from "vitest";

import { desiredChange, difference, isSame } from "./difference";

test("values are the same whatever the order of their members", () => {
  expect(isSame({ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 })).toBe(true);
  expect(isSame([1, 2], [2, 1])).toBe(false);
  expect(isSame({ a: undefined }, {})).toBe(false);
  expect(isSame([], {})).toBe(false);
  expect(isSame(null, {})).toBe(false);
  expect(isSame(1, "1")).toBe(false);
});

test("what is not as desired comes first", () => {
  const found = difference({ speed: 10, gear: 2, hello: 1 }, { speed: 10, gear: 3, lights: "on" });
  expect(found.map(({ name, standing }) => [name, standing])).toEqual([
    ["gear", "different"],
    ["lights", "unreported"],
    ["hello", "undesired"],
    ["speed", "same"],
  ]);
});

test("a property that is named like one of every object's is a property", () => {
  expect(difference({}, JSON.parse('{"constructor": 1, "__proto__": 2}') as Record<string, unknown>)).toMatchObject([
    { name: "__proto__", standing: "unreported" },
    { name: "constructor", standing: "unreported" },
  ]);
});

test("a change sends what is other and takes away what is gone", () => {
  expect(desiredChange({ a: 1, b: { c: 1 }, d: 4 }, { a: 1, b: { c: 2 }, e: 5 })).toEqual({
    b: { c: 2 },
    e: 5,
    d: null,
  });
});

test("nothing is sent where nothing changes, and the empty change only to desire nothing", () => {
  expect(desiredChange({ a: [1] }, { a: [1] })).toBeUndefined();
  expect(desiredChange({}, {})).toBeUndefined();
  expect(desiredChange({ a: 1 }, {})).toEqual({});
});
