import { UnstyledButton } from "@mantine/core";
import { useState } from "react";

import { texts } from "../texts";

/** Characters that are shown before somebody asks for more. */
const SHOWN = 300;

/** Invisible and bidirectional controls, which would make a text look like another. */
/* eslint-disable no-control-regex -- they are what is looked for */
const INVISIBLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;
/* eslint-enable no-control-regex */

/** What stands for an invisible character. */
export function visible(text: string): string {
  return text.replace(
    INVISIBLE,
    (found) => `⟨U+${found.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0") ?? ""}⟩`,
  );
}

/** A text that a device, a certificate or another operator wrote: as text, in its own direction, cut with a way to all of it. */
export function Untrusted({ text, mono = false }: { text: string; mono?: boolean }) {
  const [whole, setWhole] = useState(false);
  const isLong = text.length > SHOWN;
  const shown = visible(isLong && !whole ? text.slice(0, SHOWN) : text);
  return (
    <bdi className={mono ? "untrusted mono" : "untrusted"}>
      {shown}
      {isLong && !whole && (
        <UnstyledButton c="var(--mantine-color-anchor)" fz="inherit" onClick={() => setWhole(true)}>
          {" "}
          {texts.kit.showAll(text.length)}
        </UnstyledButton>
      )}
    </bdi>
  );
}
