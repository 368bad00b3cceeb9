import { Text } from "@mantine/core";

import { texts } from "../../../texts";
import type { Step } from "../progress";

/** A step that cannot be taken before another. */
export function Waits({ step }: { step: Step }) {
  return (
    <Text size="sm" c="var(--rc-muted)">
      {texts.setUp.waits(texts.setUp.steps[step])}
    </Text>
  );
}
