import { Text } from "@mantine/core";

import { texts } from "../../../texts";
import type { Device } from "../queries";

/** That a device which is not online answers nothing; nothing, where it is. */
export function Online({ device }: { device: Device }) {
  return (
    device.status !== "ONLINE" && (
      <Text size="sm" c="var(--rc-warn)" mb="sm">
        {texts.device.notOnline}
      </Text>
    )
  );
}
