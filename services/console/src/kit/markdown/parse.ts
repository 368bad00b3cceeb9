/** A piece of a line. */
export type Inline =
  | { kind: "text" | "code"; text: string }
  | { kind: "strong" | "emphasis"; content: Inline[] }
  | { kind: "link"; href: string; content: Inline[] };

/** A part of a page, as far as the pages of docs/operate/codes have it. Whatever else a text holds is shown as it is written. */
export type Block =
  | { kind: "heading"; level: number; content: Inline[] }
  | { kind: "paragraph"; content: Inline[] }
  | { kind: "code"; text: string }
  | { kind: "list"; isOrdered: boolean; items: Block[][] }
  | { kind: "table"; head: Inline[][]; rows: Inline[][][] };

/** Lists within lists; deeper than this they are text. */
const DEPTH_MAX = 6;

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])|\[([^\]]+)\]\(([^()\s]+)\)/g;

export function parseInline(text: string): Inline[] {
  const found: Inline[] = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > at) {
      found.push({ kind: "text", text: text.slice(at, match.index) });
    }
    const [whole, code, strong, emphasis, label, href] = match;
    if (code !== undefined) {
      found.push({ kind: "code", text: code });
    } else if (strong !== undefined) {
      found.push({ kind: "strong", content: parseInline(strong) });
    } else if (emphasis !== undefined) {
      found.push({ kind: "emphasis", content: parseInline(emphasis) });
    } else {
      found.push({ kind: "link", href: href ?? "", content: parseInline(label ?? "") });
    }
    at = match.index + whole.length;
  }
  if (at < text.length) {
    found.push({ kind: "text", text: text.slice(at) });
  }
  return found;
}

const FENCE = /^ {0,3}```/;
const HEADING = /^(#{1,6}) +(.*?)(?: +#+)?$/;
const ITEM = /^( *)([-*+]|\d{1,3}[.)]) +(.*)$/;
const ROW = /^\s*\|.*\|\s*$/;
const RULE = /^\s*\|(?:\s*:?-+:?\s*\|)+\s*$/;

/** The cells of a row; a bar in code or after a backslash divides nothing. */
function cells(line: string): Inline[][] {
  const inner = line.trim().slice(1, -1);
  const parts = inner.match(/(?:\\\||`[^`]*`|[^|])+|(?<=\|)(?=\||$)/g) ?? [];
  return parts.map((part) => parseInline(part.trim().replaceAll("\\|", "|")));
}

/** Reads lines from the first on, and takes those that it has read. */
class Lines {
  private readonly lines: string[];
  private at = 0;
  constructor(lines: string[]) {
    this.lines = lines;
  }
  get next(): string | undefined {
    return this.lines[this.at];
  }
  get afterNext(): string | undefined {
    return this.lines[this.at + 1];
  }
  take(): string {
    return this.lines[this.at++] ?? "";
  }
}

function begins(line: string, after: string | undefined): boolean {
  return FENCE.test(line) || HEADING.test(line) || ITEM.test(line) || (ROW.test(line) && RULE.test(after ?? ""));
}

function fenced(lines: Lines): Block {
  lines.take();
  const text: string[] = [];
  while (lines.next !== undefined && !FENCE.test(lines.next)) {
    text.push(lines.take());
  }
  lines.take();
  return { kind: "code", text: text.join("\n") };
}

function table(lines: Lines): Block {
  const head = cells(lines.take());
  lines.take();
  const rows: Inline[][][] = [];
  while (lines.next !== undefined && ROW.test(lines.next)) {
    rows.push(cells(lines.take()));
  }
  return { kind: "table", head, rows };
}

function list(lines: Lines, indent: number, isOrdered: boolean, depth: number): Block {
  const items: Block[][] = [];
  for (;;) {
    const match = ITEM.exec(lines.next ?? "");
    if (match?.[1]?.length !== indent || /\d/.test(match[2] ?? "") !== isOrdered) {
      return { kind: "list", isOrdered, items };
    }
    lines.take();
    const content = indent + (match[2]?.length ?? 0) + 1;
    const own = [match[3] ?? ""];
    // What is indented below the item is of it, and so is a line that goes on with its paragraph.
    for (let next = lines.next; next !== undefined; next = lines.next) {
      const isInner = next.startsWith(" ".repeat(content));
      const isBlank = next.trim() === "";
      const goesOn = own.at(-1)?.trim() !== "" && !begins(next, lines.afterNext);
      const isOf = isBlank ? (lines.afterNext ?? "").startsWith(" ".repeat(content)) : isInner || goesOn;
      if (!isOf) {
        break;
      }
      own.push(isInner ? lines.take().slice(content) : lines.take());
    }
    items.push(blocks(new Lines(own), depth + 1));
    while (lines.next?.trim() === "" && ITEM.test(lines.afterNext ?? "")) {
      lines.take();
    }
  }
}

function blocks(lines: Lines, depth: number): Block[] {
  const found: Block[] = [];
  for (let line = lines.next; line !== undefined; line = lines.next) {
    const heading = HEADING.exec(line);
    const item = depth < DEPTH_MAX ? ITEM.exec(line) : null;
    if (line.trim() === "") {
      lines.take();
    } else if (FENCE.test(line)) {
      found.push(fenced(lines));
    } else if (heading !== null) {
      lines.take();
      found.push({ kind: "heading", level: heading[1]?.length ?? 1, content: parseInline(heading[2] ?? "") });
    } else if (ROW.test(line) && RULE.test(lines.afterNext ?? "")) {
      found.push(table(lines));
    } else if (item !== null) {
      found.push(list(lines, item[1]?.length ?? 0, /\d/.test(item[2] ?? ""), depth));
    } else {
      const text = [lines.take().trim()];
      while (lines.next !== undefined && lines.next.trim() !== "" && !begins(lines.next, lines.afterNext)) {
        text.push(lines.take().trim());
      }
      found.push({ kind: "paragraph", content: parseInline(text.join(" ")) });
    }
  }
  return found;
}

/** Reads a page. It never fails: what it does not know is a paragraph. */
export function parseMarkdown(text: string): Block[] {
  return blocks(new Lines(text.replaceAll("\r\n", "\n").split("\n")), 0);
}
