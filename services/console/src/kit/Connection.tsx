import { Group, UnstyledButton } from "@mantine/core";

import { texts } from "../texts";
import type { LiveConnection } from "./live/useLive";
import classes from "./Status.module.css";

const TONES = { connecting: "muted", connected: "good", reconnecting: "warn", cut: "bad" };

/** Whether what is shown goes on: in a word beside its colour, and said when it changes. */
export function Connection({ state, retry }: LiveConnection) {
  return (
    <Group gap={6} wrap="nowrap" fz="sm">
      <Group gap={6} wrap="nowrap" role="status">
        <span className={classes["dot"]} data-tone={TONES[state]} aria-hidden />
        {texts.kit.live[state]}
      </Group>
      {state === "cut" && (
        <UnstyledButton fz="sm" td="underline" onClick={retry}>
          {texts.kit.live.retry}
        </UnstyledButton>
      )}
    </Group>
  );
}
