import { Anchor, Title } from "@mantine/core";
import { Fragment, type ReactNode } from "react";

import { type Block, type Inline, parseMarkdown } from "./markdown/parse";
import classes from "./Markdown.module.css";
import { visible } from "./Untrusted";

type Order = 1 | 2 | 3 | 4 | 5 | 6;

interface MarkdownProps {
  text: string;
  /** Makes a link to another page, such as `ca_distrusted.md`; its label alone is shown where it makes none. */
  link?: (href: string, label: ReactNode) => ReactNode;
  /** The level of the page's first heading, by where it stands on the screen. */
  level?: Order;
}

/** A page of the documentation as elements of React: no text of it becomes markup. */
export function Markdown({ text, link, level = 2 }: MarkdownProps) {
  return (
    <div className={classes["text"]}>{parseMarkdown(text).map((block, at) => show(block, at, { link, level }))}</div>
  );
}

interface Options {
  link: MarkdownProps["link"] | undefined;
  level: Order;
}

function show(block: Block, key: number, options: Options): ReactNode {
  switch (block.kind) {
    case "heading": {
      const order = Math.min(block.level + options.level - 1, 6) as Order;
      return (
        <Title key={key} order={order} size={block.level === 1 ? "h4" : "h5"}>
          {inline(block.content, options)}
        </Title>
      );
    }
    case "paragraph":
      return <p key={key}>{inline(block.content, options)}</p>;
    case "code":
      return (
        <pre key={key} tabIndex={0}>
          {visible(block.text)}
        </pre>
      );
    case "list": {
      const items = block.items.map((item, at) => <li key={at}>{item.map((part, at) => tight(part, at, options))}</li>);
      return block.isOrdered ? <ol key={key}>{items}</ol> : <ul key={key}>{items}</ul>;
    }
    case "table":
      return <Table key={key} block={block} options={options} />;
  }
}

/** The text of an item, without a paragraph's distance. */
function tight(block: Block, key: number, options: Options): ReactNode {
  return block.kind === "paragraph" && key === 0 ? (
    <Fragment key={key}>{inline(block.content, options)}</Fragment>
  ) : (
    show(block, key, options)
  );
}

function Table({ block, options }: { block: Block & { kind: "table" }; options: Options }) {
  return (
    <div className={classes["box"]}>
      <table>
        <thead>
          <tr>
            {block.head.map((cell, at) => (
              <th key={at} scope="col">
                {inline(cell, options)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {block.rows.map((row, at) => (
            <tr key={at}>
              {row.map((cell, at) => (
                <td key={at}>{inline(cell, options)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function inline(content: Inline[], options: Options): ReactNode {
  return content.map((piece, key) => {
    switch (piece.kind) {
      case "text":
        return <Fragment key={key}>{visible(piece.text)}</Fragment>;
      case "code":
        return <code key={key}>{visible(piece.text)}</code>;
      case "strong":
        return <strong key={key}>{inline(piece.content, options)}</strong>;
      case "emphasis":
        return <em key={key}>{inline(piece.content, options)}</em>;
      case "link": {
        const label = inline(piece.content, options);
        if (/^https:\/\//.test(piece.href)) {
          return (
            <Anchor key={key} href={piece.href} target="_blank" rel="noreferrer">
              {label}
            </Anchor>
          );
        }
        return <Fragment key={key}>{options.link?.(piece.href, label) ?? label}</Fragment>;
      }
    }
  });
}
