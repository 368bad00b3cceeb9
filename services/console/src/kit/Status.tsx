import { Group } from "@mantine/core";

import { texts } from "../texts";
import classes from "./Status.module.css";

const TONES: Record<string, string> = {
  ONLINE: "good",
  OFFLINE: "muted",
  INACTIVE: "muted",
  FROZEN: "warn",
  ABNORMAL: "bad",
};

/** Whether a device is there, in a word beside its colour. */
export function Status({ status }: { status: string }) {
  const words: Record<string, string> = texts.device.status;
  return (
    <Group gap={6} wrap="nowrap" component="span">
      <span className={classes["dot"]} data-tone={TONES[status] ?? "muted"} aria-hidden />
      {words[status] ?? status}
    </Group>
  );
}
