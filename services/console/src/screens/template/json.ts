/** A value of JSON. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [name: string]: Json;
}

/** What is wrong at one place of a text that is no JSON object; each has a text in the catalogue. */
export type JsonRule =
  "value" | "name" | "colon" | "object_goes_on" | "list_goes_on" | "text" | "end" | "twice" | "depth" | "object";

/** Where a text stops being a JSON object, both counted from 1, and why. */
export interface JsonFault {
  line: number;
  column: number;
  rule: JsonRule;
}

export type Read = { body: JsonObject; fault?: never } | { body?: never; fault: JsonFault };

const DEPTH_MAX = 64;

/**
 * Reads a JSON object. Browsers word their own errors differently and some leave out the place, and all of them keep
 * silent about a name that is there twice, of which they drop the first; so the place is found here.
 */
export function readObject(text: string): Read {
  try {
    new Scanner(text).document();
  } catch (error) {
    if (error instanceof Found) {
      return { fault: place(text, error.offset, error.rule) };
    }
    throw error;
  }
  const value = JSON.parse(text) as Json;
  return isObject(value) ? { body: value } : { fault: place(text, text.search(/\S/), "object") };
}

/** JSON as it is shown and copied. */
export function written(value: Json): string {
  return JSON.stringify(value, null, 2);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function place(text: string, offset: number, rule: JsonRule): JsonFault {
  const before = text.slice(0, Math.max(offset, 0)).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, rule };
}

class Found extends Error {
  readonly offset: number;
  readonly rule: JsonRule;

  constructor(offset: number, rule: JsonRule) {
    super(rule);
    this.offset = offset;
    this.rule = rule;
  }
}

const SPACE = /[ \t\r\n]*/y;
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// eslint-disable-next-line no-control-regex -- RFC 8259 section 7 forbids them in a string
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

/** Walks a text by the grammar of RFC 8259 and throws the first place that is not in it. */
class Scanner {
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  document() {
    this.value(0);
    this.space();
    if (this.at < this.text.length) {
      throw new Found(this.at, "end");
    }
  }

  private value(depth: number) {
    this.space();
    const first = this.text[this.at];
    if (depth > DEPTH_MAX) {
      throw new Found(this.at, "depth");
    }
    if (first === "{") {
      this.object(depth);
    } else if (first === "[") {
      this.list(depth);
    } else if (first === '"') {
      this.string("text");
    } else if (this.take(SCALAR) === undefined) {
      throw new Found(this.at, "value");
    }
  }

  private object(depth: number) {
    const names = new Set<string>();
    this.at++;
    if (this.next("}")) {
      return;
    }
    do {
      this.space();
      const start = this.at;
      const name = this.string(this.text[start] === '"' ? "text" : "name");
      if (names.has(name)) {
        throw new Found(start, "twice");
      }
      names.add(name);
      if (!this.next(":")) {
        throw new Found(this.at, "colon");
      }
      this.value(depth + 1);
    } while (this.next(","));
    if (!this.next("}")) {
      throw new Found(this.at, "object_goes_on");
    }
  }

  private list(depth: number) {
    this.at++;
    if (this.next("]")) {
      return;
    }
    do {
      this.value(depth + 1);
    } while (this.next(","));
    if (!this.next("]")) {
      throw new Found(this.at, "list_goes_on");
    }
  }

  private string(otherwise: JsonRule): string {
    const found = this.take(STRING);
    if (found === undefined) {
      throw new Found(this.at, otherwise);
    }
    return JSON.parse(found) as string;
  }

  private next(character: string): boolean {
    this.space();
    const isThere = this.text[this.at] === character;
    this.at += isThere ? 1 : 0;
    return isThere;
  }

  private space() {
    this.take(SPACE);
  }

  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    this.at += found?.length ?? 0;
    return found;
  }
}
