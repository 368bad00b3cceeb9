import { texts } from "../texts";

/** Deeper than this no body of the API is, and a parser's stack is not asked. */
const DEPTH_MAX = 200;

/** What keeps a text from being JSON; lines and columns count from 1. */
export interface JsonProblem {
  line: number;
  column: number;
  text: string;
}

class Unparsable extends Error {
  readonly at: number;
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

const SPACE = /[\t\n\r ]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
// eslint-disable-next-line no-control-regex -- JSON allows them as escapes only
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;

/** Finds where a text stops being JSON. The browser's own parser says so in words of its own, or not at all. */
class Scanner {
  private at = 0;
  private readonly text: string;
  constructor(text: string) {
    this.text = text;
  }

  private skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    this.at += found?.[0].length ?? 0;
    return found !== null;
  }

  /** Whether the next character is this one, which is taken then. */
  private takes(character: string): boolean {
    this.skip(SPACE);
    const found = this.text[this.at] === character;
    this.at += found ? 1 : 0;
    return found;
  }

  private fail(message: string): never {
    throw new Unparsable(this.at, message);
  }

  private string(otherwise: string): string {
    this.skip(SPACE);
    const begin = this.at;
    if (!this.skip(STRING)) {
      this.fail(this.text[this.at] === '"' ? texts.kit.json.string : otherwise);
    }
    return this.text.slice(begin, this.at);
  }

  /** A key, once in its object: a parser keeps the last of two and drops the other in silence. */
  private key(taken: Set<string>) {
    const written = this.string(texts.kit.json.key);
    const key = JSON.parse(written) as string;
    if (taken.has(key)) {
      this.at -= written.length;
      this.fail(texts.kit.json.twice);
    }
    taken.add(key);
  }

  private value(depth: number) {
    if (depth > DEPTH_MAX) {
      this.fail(texts.kit.json.deep);
    }
    if (this.takes("{")) {
      this.members(depth);
    } else if (this.takes("[")) {
      this.items(depth);
    } else if (this.text[this.at] === '"') {
      this.string(texts.kit.json.value);
    } else if (/[-\d]/.test(this.text[this.at] ?? "")) {
      const begin = this.at;
      if (!this.skip(NUMBER) || /[\w.+-]/.test(this.text[this.at] ?? "")) {
        this.at = begin;
        this.fail(texts.kit.json.number);
      }
    } else if (!this.skip(WORD)) {
      this.fail(texts.kit.json.value);
    }
  }

  private members(depth: number) {
    if (this.takes("}")) {
      return;
    }
    const taken = new Set<string>();
    do {
      this.key(taken);
      if (!this.takes(":")) {
        this.fail(texts.kit.json.colon);
      }
      this.value(depth + 1);
    } while (this.takes(","));
    if (!this.takes("}")) {
      this.fail(texts.kit.json.commaOrBrace);
    }
  }

  private items(depth: number) {
    if (this.takes("]")) {
      return;
    }
    do {
      this.value(depth + 1);
    } while (this.takes(","));
    if (!this.takes("]")) {
      this.fail(texts.kit.json.commaOrBracket);
    }
  }

  document() {
    this.value(0);
    this.skip(SPACE);
    if (this.at < this.text.length) {
      this.fail(texts.kit.json.end);
    }
  }
}

/** The value that a text is, or what keeps it from being one. */
export function parseJson(text: string): { value: unknown; problem?: never } | { problem: JsonProblem; value?: never } {
  try {
    new Scanner(text).document();
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    if (!(error instanceof Unparsable)) {
      throw error;
    }
    const before = text.slice(0, error.at).split("\n");
    return {
      problem: { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, text: error.message },
    };
  }
}
