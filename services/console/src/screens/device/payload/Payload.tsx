import { Button, Group, Text } from "@mantine/core";
import { useState } from "react";

import type { Schemas } from "../../../api/client";
import { visible } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import classes from "../device.module.css";
import { payloadView } from "./payload";

interface Props {
  payload: unknown;
  encoding: Schemas["PayloadEncoding"];
}

/** What a message carried: pretty where it is JSON, hex where it is bytes, cut with a way to all of it. */
export function Payload({ payload, encoding }: Props) {
  const [whole, setWhole] = useState(false);
  const { kind, shown, size, isCut } = payloadView(payload, encoding, whole);
  const words = texts.device.payload;
  return (
    <div>
      <pre className={classes["payload"]} data-kind={kind} tabIndex={0} aria-label={words.kinds[kind]} dir="ltr">
        <bdi>{visible(shown)}</bdi>
      </pre>
      <Group gap="sm" mt={2}>
        <Text size="xs" c="var(--rc-muted)">
          {words.kinds[kind]} · {kind === "hex" ? words.bytes(size) : words.characters(size)}
        </Text>
        {(isCut || whole) && (
          <Button variant="subtle" size="compact-xs" onClick={() => setWhole(!whole)}>
            {whole ? words.less : words.all}
          </Button>
        )}
      </Group>
    </div>
  );
}
