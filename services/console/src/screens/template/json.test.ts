import { expect, test } from "vitest";

import { texts } from "../../texts";
import { readBody, written } from "./json";

test("what is written is read again as it was", () => {
  const body = { a: [1, -0.5e3, true, null, "\u202e\n"], "": {} };
  expect(readBody(written(body)).body).toEqual(body);
});

test("a text that is no JSON object says where and why", () => {
  expect(readBody('{\n  "a" 1\n}').problem).toMatchObject({ line: 2, column: 7 });
  expect(readBody("\n []").problem).toEqual({ line: 2, column: 2, text: texts.template.notAnObject });
  expect(readBody("null").problem).toEqual({ line: 1, column: 1, text: texts.template.notAnObject });
});
