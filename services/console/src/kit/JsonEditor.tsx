import { Textarea } from "@mantine/core";
import type { ReactNode } from "react";

import { texts } from "../texts";
import { parseJson } from "./json";

interface JsonEditorProps {
  label: string;
  /** The text, whether it is JSON yet or not; `parseJson` of ./json reads it. */
  value: string;
  onChange: (text: string) => void;
  description?: ReactNode;
  /** What is wrong with the value, where the text is JSON. */
  problem?: ReactNode;
  readOnly?: boolean;
  minRows?: number;
}

/** JSON as text. Tab leaves it, as everywhere; where it stops being JSON is said by line and column. */
export function JsonEditor({ label, value, onChange, description, problem, readOnly, minRows = 12 }: JsonEditorProps) {
  const { problem: unparsable } = parseJson(value);
  const shown =
    unparsable === undefined ? problem : texts.kit.json.at(unparsable.line, unparsable.column, unparsable.text);
  return (
    <Textarea
      label={label}
      description={description}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      error={shown}
      readOnly={readOnly ?? false}
      autosize
      minRows={minRows}
      maxRows={40}
      spellCheck={false}
      autoComplete="off"
      wrap="off"
      classNames={{ input: "mono" }}
    />
  );
}
