import { Button, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { type Doomed, impactOf } from "../api/impact";
import { texts } from "../texts";
import { ConfirmDialog } from "./ConfirmDialog";
import { Impact } from "./Impact";
import { Loaded } from "./Loaded";

interface Props {
  words: { open: string; title: string; consequence: string; submit: string };
  instance: string;
  doomed: Doomed;
  /** What has to be typed first; nothing where it is easily made again. */
  typed?: string;
  onConfirm: () => Promise<unknown>;
}

/** Deletes a thing, after its consequence was said and its name was typed. What would be refused is not offered. */
export function DeleteButton({ words, instance, doomed, typed, onConfirm }: Props) {
  const [isOpen, setOpen] = useState(false);
  const impact = useQuery({ ...impactOf(instance, doomed), enabled: isOpen });
  const isRefused = impact.data?.rejection !== null && impact.data?.rejection !== undefined;
  return (
    <>
      <Button color="red" variant="light" onClick={() => setOpen(true)}>
        {words.open}
      </Button>
      <ConfirmDialog
        opened={isOpen}
        onClose={() => setOpen(false)}
        title={words.title}
        consequence={
          <Stack gap="xs">
            <Text size="sm">{words.consequence}</Text>
            <Loaded query={impact}>{(found) => <Impact instance={instance} impact={found} />}</Loaded>
            {isRefused && <Text size="sm">{texts.kit.impact.first}</Text>}
          </Stack>
        }
        action={words.submit}
        {...(typed !== undefined && { typed })}
        isDestructive
        isRefused={isRefused}
        onConfirm={onConfirm}
      />
    </>
  );
}
