import { Button, Group, Radio, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type SubmitEvent, useState } from "react";

import type { Place } from "../../api/place";
import { CopyAs } from "../../kit/CopyAs";
import { Failure } from "../../kit/Failure";
import { texts } from "../../texts";
import { declare, described } from "./queries";

export function NewSpace({ place }: { place: Place }) {
  const words = texts.space;
  const [id, setId] = useState("");
  const [name, setName] = useState("");
  const [defaultPolicy, setDefaultPolicy] = useState<"none" | "allow">("none");
  const queries = useQueryClient();
  const navigate = useNavigate();
  const creating = useMutation({
    mutationFn: () => declare(place, id, name, defaultPolicy),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["spaces", place.instance] });
      await navigate({
        to: "/instances/$instance/spaces/$space",
        params: { instance: place.instance, space: id },
        search: {},
      });
    },
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    creating.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm" maw="32rem">
        <TextInput
          label={words.id}
          description={words.idHint}
          required
          pattern="[A-Za-z0-9_\-]{1,36}"
          value={id}
          onChange={(event) => setId(event.currentTarget.value)}
        />
        <TextInput
          label={words.name}
          description={words.nameHint}
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Radio.Group
          label={words.defaultPolicy}
          value={defaultPolicy}
          onChange={(value) => setDefaultPolicy(value === "allow" ? "allow" : "none")}
        >
          <Stack gap="xs" mt="xs">
            <Radio value="none" label={words.defaultNone} />
            <Radio value="allow" label={words.defaultAllow} />
          </Stack>
        </Radio.Group>
        {creating.error !== null && <Failure error={creating.error} />}
        <Group gap="sm">
          <Button type="submit" loading={creating.isPending}>
            {words.submit}
          </Button>
          {id !== "" && <CopyAs of={described(place.instance, id, name, defaultPolicy)} />}
        </Group>
      </Stack>
    </form>
  );
}
