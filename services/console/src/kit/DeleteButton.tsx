import { Button } from "@mantine/core";
import { type ReactNode, useState } from "react";

import { ConfirmDialog } from "./ConfirmDialog";

interface Props {
  words: { open: string; title: string; submit: string };
  consequence: ReactNode;
  /** What has to be typed first. */
  typed: string;
  onConfirm: () => Promise<unknown>;
}

/** Deletes a thing, after its consequence was said and its name was typed. */
export function DeleteButton({ words, consequence, typed, onConfirm }: Props) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button color="red" variant="light" onClick={() => setOpen(true)}>
        {words.open}
      </Button>
      <ConfirmDialog
        opened={isOpen}
        onClose={() => setOpen(false)}
        title={words.title}
        consequence={consequence}
        action={words.submit}
        typed={typed}
        isDestructive
        onConfirm={onConfirm}
      />
    </>
  );
}
