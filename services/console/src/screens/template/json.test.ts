import { expect, test } from "vitest";

import { readObject, written } from "./json";

const fault = (text: string) => readObject(text).fault;

test("what is written is read again as it was", () => {
  const body = { a: [1, -0.5e3, true, null, "\u202e\n"], "": {} };
  expect(readObject(written(body)).body).toEqual(body);
});

test.each([
  ['{\n  "a": 1,\n  "b" 2\n}', 3, 7, "colon"],
  ['{"a": }', 1, 7, "value"],
  ['{"a": 1,\n}', 2, 1, "name"],
  ['{"a": 1\n "b": 2}', 2, 2, "object_goes_on"],
  ['{"a": [1 2]}', 1, 10, "list_goes_on"],
  ['{"a": "b\n"}', 1, 7, "text"],
  ['{"a": "\\x"}', 1, 7, "text"],
  ["{'a': 1}", 1, 2, "name"],
  ["", 1, 1, "value"],
  ['{"a": 01}', 1, 8, "object_goes_on"],
  ["{}\n}", 2, 1, "end"],
  ["\n []", 2, 2, "object"],
  [`{"a": ${"[".repeat(70)}`, 1, 71, "depth"],
])("%j stops being a JSON object at line %i, column %i: %s", (text, line, column, rule) => {
  expect(fault(text)).toEqual({ line, column, rule });
});

test("a name that is there twice is not dropped in silence", () => {
  expect(fault('{"a": 1, "\\u0061": 2}')).toEqual({ line: 1, column: 10, rule: "twice" });
  expect(fault('{"a": {"b": 1}, "c": {"b": 1}}')).toBeUndefined();
});
