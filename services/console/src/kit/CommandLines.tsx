import { Button, CopyButton } from "@mantine/core";

import { texts } from "../texts";
import classes from "./CommandLines.module.css";

/** Lines for a shell, ready to be copied. */
export function CommandLines({ label, lines }: { label: string; lines: string[] }) {
  const text = lines.join("\n");
  return (
    <figure className={classes["figure"]}>
      <figcaption className={classes["caption"]}>
        <span>{label}</span>
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Button size="compact-xs" variant="subtle" onClick={copy} aria-label={texts.kit.lines.copyOf(label)}>
              {copied ? texts.kit.lines.copied : texts.kit.lines.copy}
            </Button>
          )}
        </CopyButton>
      </figcaption>
      <pre className={classes["lines"]} tabIndex={0} aria-label={label}>
        {text}
      </pre>
    </figure>
  );
}
