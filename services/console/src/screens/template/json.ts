import { type JsonProblem, parseJson } from "../../kit/json";
import { texts } from "../../texts";

/** A value of JSON. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [name: string]: Json;
}

export type Read = { body: JsonObject; problem?: never } | { body?: never; problem: JsonProblem };

/** Reads a body, which is a JSON object, or says where and why the text is none. */
export function readBody(text: string): Read {
  const { value, problem } = parseJson(text);
  if (problem !== undefined) {
    return { problem };
  }
  const json = value as Json;
  if (isObject(json)) {
    return { body: json };
  }
  const before = text.slice(0, text.search(/\S/)).split("\n");
  const column = (before.at(-1)?.length ?? 0) + 1;
  return { problem: { line: before.length, column, text: texts.template.notAnObject } };
}

/** JSON as it is shown and copied. */
export function written(value: Json): string {
  return JSON.stringify(value, null, 2);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
