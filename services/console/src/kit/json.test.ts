import { describe, expect, it } from "vitest";

import { texts } from "../texts";
import { parseJson } from "./json";

describe("parseJson", () => {
  it.each(['{"a": [1, -2.5e3, "x\\u00e9\\n", true, null, {}], "b": []}', " 0 ", '"😀"', "[]"])("reads %s", (text) => {
    expect(parseJson(text)).toEqual({ value: JSON.parse(text) as unknown });
  });

  it.each([
    ["", 1, 1, texts.kit.json.value],
    ['{\n  "a": 1,\n}', 3, 1, texts.kit.json.key],
    ['{"a" 1}', 1, 6, texts.kit.json.colon],
    ['{"a": 1 "b": 2}', 1, 9, texts.kit.json.commaOrBrace],
    ["[1 2]", 1, 4, texts.kit.json.commaOrBracket],
    ['{"a": tru}', 1, 7, texts.kit.json.value],
    ['["a\n"]', 1, 2, texts.kit.json.string],
    ['["\\x"]', 1, 2, texts.kit.json.string],
    ["[01]", 1, 2, texts.kit.json.number],
    ["[1.]", 1, 2, texts.kit.json.number],
    ["{} {}", 1, 4, texts.kit.json.end],
    ["{'a': 1}", 1, 2, texts.kit.json.key],
  ])("says where %j is wrong", (text, line, column, said) => {
    expect(parseJson(text)).toEqual({ problem: { line, column, text: said } });
    expect(() => JSON.parse(text) as unknown).toThrow();
  });

  it("does not drop the first of two keys in silence", () => {
    expect(parseJson('{"a": 1, "\\u0061": 2}').problem).toEqual({ line: 1, column: 10, text: texts.kit.json.twice });
    expect(parseJson('{"a": {"b": 1}, "c": {"b": 1}}').problem).toBeUndefined();
  });

  it("does not exhaust the stack", () => {
    expect(parseJson("[".repeat(100_000)).problem?.text).toBe(texts.kit.json.deep);
  });
});
