import { Button, Group, List, Modal, SegmentedControl, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { Failure } from "../../../kit/Failure";
import { texts } from "../../../texts";
import { type Device, keyOf, type Target } from "../queries";
import { Proof } from "./Proof";
import { type Action, type Options, run } from "./run";

interface Props {
  action: Action;
  target: Target;
  device: Device | null;
  onClose: () => void;
}

/** Says what an action does, asks, does it, and shows what the API says of it then. */
export function ActionDialog({ action, target, device, onClose }: Props) {
  // The device as it was when the dialog was opened: what is proven is a change of it.
  const [before] = useState(device);
  const [options, setOptions] = useState<Options>({ fingerprint: "", slot: "PRIMARY" });
  const queries = useQueryClient();
  const doing = useMutation({
    mutationFn: () => run(action, target, { ...options, fingerprint: plainHex(options.fingerprint) }),
    onSettled: () => queries.invalidateQueries({ queryKey: keyOf(target) }),
  });
  const words = texts.device.actions[action];
  const isDone = doing.data !== undefined;
  return (
    <Modal
      opened
      onClose={onClose}
      title={isDone ? words.done : words.title(target.device)}
      closeButtonProps={{ "aria-label": texts.device.actions.close }}
      size="lg"
    >
      <Stack gap="sm">
        {doing.data === undefined ? (
          <>
            <List size="sm" spacing={4}>
              {words.consequences(before?.status === "ONLINE").map((text) => (
                <List.Item key={text}>{text}</List.Item>
              ))}
            </List>
            {action === "reset" && <ResetOptions options={options} onChange={setOptions} />}
          </>
        ) : (
          <Proof action={action} target={target} before={before} done={doing.data} />
        )}
        {doing.error !== null && <Failure error={doing.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose} {...(!isDone && { "data-autofocus": true })}>
            {isDone ? texts.device.actions.close : texts.device.actions.cancel}
          </Button>
          {!isDone && (
            <Button
              color={action === "delete" || action === "freeze" ? "red.9" : "cyan.9"}
              loading={doing.isPending}
              disabled={action === "reset" && !isFingerprint(options.fingerprint)}
              onClick={() => doing.mutate()}
            >
              {words.confirm}
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

/** Without the colons and blanks that tools put between its bytes. */
function plainHex(fingerprint: string): string {
  return fingerprint.replaceAll(/[\s:]/g, "").toLowerCase();
}

/** SHA-1, SHA-256, or none. */
export function isFingerprint(text: string): boolean {
  return /^(?:[\da-f]{40}|[\da-f]{64})?$/.test(plainHex(text));
}

function ResetOptions({ options, onChange }: { options: Options; onChange: (options: Options) => void }) {
  const words = texts.device.actions.reset;
  return (
    <>
      <SegmentedControl
        aria-label={words.slot}
        value={options.slot}
        onChange={(slot) => onChange({ ...options, slot: slot === "SECONDARY" ? "SECONDARY" : "PRIMARY" })}
        data={[
          { value: "PRIMARY", label: words.primary },
          { value: "SECONDARY", label: words.secondary },
        ]}
      />
      <TextInput
        label={words.fingerprint}
        description={words.fingerprintHint}
        value={options.fingerprint}
        onChange={({ currentTarget: { value } }) => onChange({ ...options, fingerprint: value })}
        error={isFingerprint(options.fingerprint) ? undefined : words.noFingerprint}
        spellCheck={false}
        autoComplete="off"
      />
    </>
  );
}
