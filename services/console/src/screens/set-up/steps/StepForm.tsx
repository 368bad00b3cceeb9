import { Button, Stack } from "@mantine/core";
import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactNode, SubmitEvent } from "react";

import { Failure } from "../../../kit/Failure";

interface Props {
  /** What the button says. */
  submit: string;
  mayChange: boolean;
  onSubmit: () => Promise<unknown>;
  /** What is read again afterwards: the step turns green by it. */
  changes: QueryKey;
  onDone: () => void;
  children: ReactNode;
}

/** The form of a step: it is carried out once, and what there is then is read again. */
export function StepForm({ submit, mayChange, onSubmit, changes, onDone, children }: Props) {
  const queries = useQueryClient();
  const refresh = () => Promise.all([changes, ["overview"]].map((queryKey) => queries.invalidateQueries({ queryKey })));
  const doing = useMutation({
    mutationFn: onSubmit,
    onSuccess: async () => {
      await refresh();
      onDone();
    },
    // It may have been done in part.
    onError: refresh,
  });
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    if (!doing.isPending) {
      doing.mutate();
    }
  };
  return (
    <form onSubmit={send}>
      <Stack gap="sm" maw="32rem">
        <fieldset disabled={!mayChange} style={{ border: 0, padding: 0, margin: 0, minWidth: 0 }}>
          <Stack gap="sm">{children}</Stack>
        </fieldset>
        {doing.error !== null && <Failure error={doing.error} />}
        {mayChange && (
          <div>
            <Button type="submit" loading={doing.isPending}>
              {submit}
            </Button>
          </div>
        )}
      </Stack>
    </form>
  );
}
