import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useBlocker } from "@tanstack/react-router";

import { texts } from "../../texts";

/** Asks before the screen, or the page, is left with changes that are not saved. */
export function LeaveGuard({ isDirty }: { isDirty: boolean }) {
  const blocker = useBlocker({
    // The tabs are in the URL too, and lose nothing.
    shouldBlockFn: ({ current, next }) => current.pathname !== next.pathname,
    enableBeforeUnload: isDirty,
    disabled: !isDirty,
    withResolver: true,
  });
  const stay = () => blocker.reset?.();
  return (
    <Modal
      opened={blocker.status === "blocked"}
      onClose={stay}
      title={texts.template.leaveTitle}
      closeButtonProps={{ "aria-label": texts.template.close }}
    >
      <Stack gap="md">
        <Text>{texts.template.leaveText}</Text>
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={stay} data-autofocus>
            {texts.template.stay}
          </Button>
          <Button color="red.9" onClick={() => blocker.proceed?.()}>
            {texts.template.leave}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
