import { Button } from "@mantine/core";
import { useState } from "react";

import { mayChange, useOperator } from "../../../api/session";
import { texts } from "../../../texts";
import type { Device, Target } from "../queries";
import { ActionDialog } from "./ActionDialog";
import { available } from "./available";
import type { Action } from "./run";

/** What may be done to the device as it stands; nothing, for who only looks. */
export function Actions({ target, device }: { target: Target; device: Device | null }) {
  const [action, setAction] = useState<Action>();
  if (!mayChange(useOperator())) {
    return null;
  }
  return (
    <>
      {available(device).map((action) => (
        <Button
          key={action}
          variant="default"
          {...(action === "delete" && { c: "var(--rc-bad)" })}
          onClick={() => setAction(action)}
        >
          {texts.device.actions[action].label}
        </Button>
      ))}
      {action !== undefined && (
        <ActionDialog action={action} target={target} device={device} onClose={() => setAction(undefined)} />
      )}
    </>
  );
}
