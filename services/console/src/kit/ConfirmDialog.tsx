import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, type SubmitEvent, useState } from "react";

import { texts } from "../texts";
import { Failure } from "./Failure";
import { visible } from "./Untrusted";

interface ConfirmDialogProps {
  opened: boolean;
  onClose: () => void;
  /** What is asked, as a question. */
  title: string;
  /** What it does, said before anything else. */
  consequence: ReactNode;
  /** The action as a verb, such as "Delete the device". */
  action: string;
  /** What has to be typed first, such as the thing's name; for what cannot be taken back. */
  typed?: string;
  /** Whether something ends by it. */
  isDestructive?: boolean;
  /** Whether it is known already that it would be refused; the consequence says why. */
  isRefused?: boolean;
  /** The dialog closes when it is done, and shows why where it fails. */
  onConfirm: () => Promise<unknown>;
  /** What else has to be said to do it. */
  children?: ReactNode;
}

/** Asks before something is done. Where something ends by it, the focus is on what prevents it. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  return (
    <Modal
      opened={props.opened}
      onClose={props.onClose}
      title={visible(props.title)}
      closeButtonProps={{ "aria-label": texts.kit.close }}
    >
      {/* Made anew at each opening, so that neither an old failure nor an old text is there. */}
      {props.opened && <Question {...props} />}
    </Modal>
  );
}

function Question(props: ConfirmDialogProps) {
  const { onClose, consequence, action, typed, isDestructive, isRefused = false, onConfirm, children } = props;
  const [text, setText] = useState("");
  const doing = useMutation({ mutationFn: onConfirm, onSuccess: onClose });
  // What is not seen can be copied and not typed, so that what is shown of it does as well.
  const isTyped = typed === undefined || [typed, visible(typed)].some((name) => name.trim() === text.trim());
  const isReady = isTyped && !isRefused;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (isReady && !doing.isPending) {
      doing.mutate();
    }
  };
  const isAskedFirst = typed === undefined && isDestructive === true;
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <div>{consequence}</div>
        {!isRefused && children}
        {typed !== undefined && !isRefused && (
          <TextInput
            label={texts.kit.confirm.type(visible(typed))}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            autoComplete="off"
            spellCheck={false}
            data-autofocus
          />
        )}
        {doing.error !== null && <Failure error={doing.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose} {...(isAskedFirst && { "data-autofocus": true })}>
            {texts.kit.confirm.cancel}
          </Button>
          <Button
            type="submit"
            disabled={!isReady}
            loading={doing.isPending}
            {...(isDestructive === true && { color: "red.9" })}
            {...(!isAskedFirst && typed === undefined && { "data-autofocus": true })}
          >
            {action}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
