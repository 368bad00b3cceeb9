// @vitest-environment node
import { readdirSync, readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { type Block, type Inline, parseInline, parseMarkdown } from "./parse";

const text = (text: string): Inline => ({ kind: "text", text });

describe("parseInline", () => {
  it("knows code, strong, emphasis and links", () => {
    expect(parseInline("a `b*c*` **d `e`** *f* [g](h.md) 2*3*4 [x]")).toEqual([
      text("a "),
      { kind: "code", text: "b*c*" },
      text(" "),
      { kind: "strong", content: [text("d "), { kind: "code", text: "e" }] },
      text(" "),
      { kind: "emphasis", content: [text("f")] },
      text(" "),
      { kind: "link", href: "h.md", content: [text("g")] },
      text(" 2*3*4 [x]"),
    ]);
  });

  it("leaves markup text", () => {
    expect(parseInline("<img src=x onerror=alert(1)>")).toEqual([text("<img src=x onerror=alert(1)>")]);
  });
});

describe("parseMarkdown", () => {
  it("reads a page", () => {
    const page =
      "# `code`\n\nA line\nand another.\n\n| a | b |\n| --- | --- |\n| 1 \\| 2 | `x|y` |\n\n- one\n  goes on\n- two\n  - inner\n\n1. first\n\n```sh\n# no heading\n```\n";
    expect(parseMarkdown(page)).toEqual([
      { kind: "heading", level: 1, content: [{ kind: "code", text: "code" }] },
      { kind: "paragraph", content: [text("A line and another.")] },
      {
        kind: "table",
        head: [[text("a")], [text("b")]],
        rows: [[[text("1 | 2")], [{ kind: "code", text: "x|y" }]]],
      },
      {
        kind: "list",
        isOrdered: false,
        items: [
          [{ kind: "paragraph", content: [text("one goes on")] }],
          [
            { kind: "paragraph", content: [text("two")] },
            { kind: "list", isOrdered: false, items: [[{ kind: "paragraph", content: [text("inner")] }]] },
          ],
        ],
      },
      { kind: "list", isOrdered: true, items: [[{ kind: "paragraph", content: [text("first")] }]] },
      { kind: "code", text: "# no heading" },
    ]);
  });

  it("ends at whatever it is given", () => {
    for (const odd of [
      "```",
      "|",
      "| a |\n|---|",
      "- ",
      "-  \n-",
      "#",
      "  - x\n".repeat(3),
      "- ".repeat(5_000),
      "*".repeat(5_000),
    ]) {
      expect(Array.isArray(parseMarkdown(odd))).toBe(true);
    }
  });

  // The pages are what it is for: nothing of them may be left as marks.
  const folder = new URL("../../../../../docs/operate/codes/", import.meta.url);
  const pages = readdirSync(folder).filter((name) => name.endsWith(".md"));

  it.each(pages)("shows all of %s", (name) => {
    const left = parseMarkdown(readFileSync(new URL(name, folder), "utf8")).flatMap(words);
    expect(left.filter((words) => /\*\*|^#|^\||^- |`|\]\(/.test(words))).toEqual([]);
    expect(left.length).toBeGreaterThan(3);
  });
});

function words(block: Block): string[] {
  switch (block.kind) {
    case "heading":
    case "paragraph":
      return block.content.flatMap(plain);
    case "code":
      return [];
    case "list":
      return block.items.flat().flatMap(words);
    case "table":
      return [...block.head, ...block.rows.flat()].flat().flatMap(plain);
  }
}

function plain(piece: Inline): string[] {
  return "content" in piece ? piece.content.flatMap(plain) : piece.kind === "text" ? [piece.text] : [];
}
