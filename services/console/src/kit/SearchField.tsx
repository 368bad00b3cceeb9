import { TextInput } from "@mantine/core";
import { useEffect, useEffectEvent, useRef, useState } from "react";

import { texts } from "../texts";
import { useKey } from "./keys";

/** How long somebody may pause between two letters before it is looked for, ms. */
const PAUSE = 250;

interface SearchFieldProps {
  /** What is looked for, as the URL carries it. */
  value: string;
  onChange: (text: string) => void;
  label?: string;
  placeholder?: string;
  description?: string;
}

/** The screen's search: `/` leads to it, Escape empties it and then leaves it. */
export function SearchField({ value, onChange, label = texts.kit.search, placeholder, description }: SearchFieldProps) {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  const [said, setSaid] = useState(value);
  // Another has changed it, such as the browser's way back; what was typed here comes back as it was said, perhaps late.
  if (seen !== value) {
    setSeen(value);
    if (value !== said) {
      setText(value);
      setSaid(value);
    }
  }
  const input = useRef<HTMLInputElement>(null);
  useKey("/", () => input.current?.focus());
  const say = (text: string) => {
    if (text !== said) {
      setSaid(text);
      onChange(text);
    }
  };
  const sayLater = useEffectEvent(() => say(text));
  useEffect(() => {
    const timer = setTimeout(sayLater, PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <TextInput
      ref={input}
      type="search"
      aria-label={label}
      placeholder={placeholder ?? label}
      description={description}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === "Escape") {
          event.preventDefault();
          if (text === "") {
            event.currentTarget.blur();
          } else {
            setText("");
          }
        } else if (event.key === "Enter") {
          say(text);
        }
      }}
      aria-keyshortcuts="/"
      autoComplete="off"
      spellCheck={false}
    />
  );
}
