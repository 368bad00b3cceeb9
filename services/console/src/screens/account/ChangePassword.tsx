import { Alert, Button, PasswordInput, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";

import { Failure } from "../../kit/Failure";
import { texts } from "../../texts";
import { changePassword, session } from "./queries";

const words = texts.account;
const CHARACTERS_MIN = 12;
const CHARACTERS_MAX = 128;

export function ChangePassword({ operator }: { operator: string }) {
  const [old, setOld] = useState("");
  const [wanted, setWanted] = useState("");
  const [repeated, setRepeated] = useState("");
  const queries = useQueryClient();
  const changing = useMutation({
    mutationFn: () => changePassword(old, wanted),
    onSuccess: async () => {
      setOld("");
      setWanted("");
      setRepeated("");
      await queries.invalidateQueries({ queryKey: session.queryKey });
    },
  });
  const isDifferent = repeated !== "" && repeated !== wanted;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (repeated === wanted) {
      changing.mutate();
    }
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm" maw="24rem">
        <Text size="sm">{words.consequence}</Text>
        {/* Tells a password manager whose password it is. */}
        <input type="hidden" name="username" autoComplete="username" value={operator} readOnly />
        <PasswordInput
          label={words.old}
          autoComplete="current-password"
          required
          value={old}
          onChange={(event) => setOld(event.currentTarget.value)}
        />
        <PasswordInput
          label={words.new}
          description={words.newHint}
          autoComplete="new-password"
          required
          minLength={CHARACTERS_MIN}
          maxLength={CHARACTERS_MAX}
          value={wanted}
          onChange={(event) => setWanted(event.currentTarget.value)}
        />
        <PasswordInput
          label={words.repeated}
          autoComplete="new-password"
          required
          error={isDifferent ? words.different : undefined}
          value={repeated}
          onChange={(event) => setRepeated(event.currentTarget.value)}
        />
        {changing.error !== null && <Failure error={changing.error} />}
        {changing.isSuccess && (
          <Alert color="green" variant="light" role="status">
            <Text size="sm">{words.changed}</Text>
          </Alert>
        )}
        <div>
          <Button type="submit" loading={changing.isPending}>
            {words.change}
          </Button>
        </div>
      </Stack>
    </form>
  );
}
