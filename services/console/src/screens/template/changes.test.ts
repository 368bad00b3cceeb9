import { expect, test } from "vitest";

import { changesOf } from "./changes";

test("what differs is named by its path, on the side where it is", () => {
  const before = { a: { b: "1", c: true }, tags: ["x", "y"], none: [] };
  const after = { a: { b: "2" }, tags: ["x"], none: ["z"] };
  expect(changesOf(before, after)).toEqual([
    { path: "a.b", before: '"1"', after: '"2"' },
    { path: "none[0]", after: '"z"' },
    { path: "a.c", before: "true" },
    { path: "tags[1]", before: '"y"' },
    { path: "none", before: "[]" },
  ]);
});

test("another order of names is no change", () => {
  expect(changesOf({ a: 1, b: 2 }, { b: 2, a: 1 })).toEqual([]);
});
