import { Button, PasswordInput, Stack, TextInput, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type SubmitEvent, useEffect, useState } from "react";

import { signIn } from "../../api/session";
import { Failure } from "../../kit/Failure";
import { texts } from "../../texts";
import classes from "./SignInScreen.module.css";

export function SignInScreen() {
  const { to } = useSearch({ from: "/sign-in" });
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [operator, setOperator] = useState("");
  const [password, setPassword] = useState("");
  useEffect(() => {
    document.title = `${texts.signIn.submit} · ${texts.name}`;
  }, []);
  const signingIn = useMutation({
    mutationFn: () => signIn(operator, password),
    onSuccess: async () => {
      // What is held may be of whoever was signed in before.
      queries.clear();
      // Not one to come back to, with the password in its form.
      await navigate({ href: to ?? "/", replace: true });
    },
    onError: () => setPassword(""),
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    signingIn.mutate();
  };
  return (
    <main className={classes["page"]}>
      <form className={classes["form"]} onSubmit={submit}>
        <Stack>
          <Title order={1} size="h3">
            {texts.signIn.title}
          </Title>
          <TextInput
            label={texts.signIn.operator}
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            value={operator}
            onChange={(event) => setOperator(event.currentTarget.value)}
          />
          <PasswordInput
            label={texts.signIn.password}
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {signingIn.error !== null && <Failure error={signingIn.error} />}
          <Button type="submit" loading={signingIn.isPending}>
            {texts.signIn.submit}
          </Button>
        </Stack>
      </form>
    </main>
  );
}
