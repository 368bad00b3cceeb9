import { Button, Group, List, Select, Stack, Text, TextInput } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import type { Place } from "../../api/place";
import { ConfirmDialog } from "../../kit/ConfirmDialog";
import { Failure } from "../../kit/Failure";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { bind, targets, type TargetType, unbind } from "./queries";

interface Props {
  place: Place;
  policy: string;
  mayChange: boolean;
}

/** What a policy is bound to, and binding it to more. */
export function Targets({ place, policy, mayChange }: Props) {
  const words = texts.policy.targets;
  const query = useInfiniteQuery(targets(place, policy));
  const queries = useQueryClient();
  const [leaving, setLeaving] = useState<{ type: TargetType; id: string }>();
  const refresh = () => queries.invalidateQueries({ queryKey: targets(place, policy).queryKey });
  const all = query.data?.pages.flatMap((page) => page.targets) ?? [];
  return (
    <Stack gap="sm">
      {query.error !== null && <Failure error={query.error} />}
      {query.isSuccess && all.length === 0 && <Text size="sm">{words.none}</Text>}
      <List size="sm" listStyleType="none">
        {all.map(({ target_type, target_id }) => (
          <List.Item key={`${target_type} ${target_id}`}>
            <Group gap="sm">
              <span>
                {words.kind[target_type]} <Untrusted text={target_id} mono />
              </span>
              {mayChange && (
                <Button
                  size="compact-xs"
                  variant="subtle"
                  color="red"
                  aria-label={words.unbindOf(target_id)}
                  onClick={() => setLeaving({ type: target_type, id: target_id })}
                >
                  {words.unbind}
                </Button>
              )}
            </Group>
          </List.Item>
        ))}
      </List>
      {query.hasNextPage && (
        <div>
          <Button variant="default" size="compact-sm" onClick={() => void query.fetchNextPage()}>
            {words.more}
          </Button>
        </div>
      )}
      {mayChange && <Bind place={place} policy={policy} onBound={() => void refresh()} />}
      <ConfirmDialog
        opened={leaving !== undefined}
        onClose={() => setLeaving(undefined)}
        title={words.unbindTitle}
        consequence={words.unbindConsequence(leaving?.id ?? "")}
        action={words.unbind}
        isDestructive
        onConfirm={async () => {
          if (leaving !== undefined) {
            await unbind(place, policy, leaving.type, leaving.id);
            await refresh();
          }
        }}
      />
    </Stack>
  );
}

const KINDS = ["product", "app", "device"] as const;

function Bind({ place, policy, onBound }: { place: Place; policy: string; onBound: () => void }) {
  const words = texts.policy.targets;
  const [type, setType] = useState<TargetType>("product");
  const [id, setId] = useState("");
  const binding = useMutation({
    mutationFn: () => bind(place, policy, type, id.trim()),
    onSuccess: (failed) => {
      if (failed.length === 0) {
        setId("");
        onBound();
      }
    },
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        binding.mutate();
      }}
    >
      <Group align="flex-end" gap="sm">
        <Select
          label={words.bindKind}
          data={KINDS.map((kind) => ({ value: kind, label: words.kind[kind] }))}
          value={type}
          onChange={(kind) => setType(KINDS.find((one) => one === kind) ?? "product")}
          allowDeselect={false}
          w="11rem"
        />
        <TextInput
          label={words.bindId}
          value={id}
          required
          onChange={(event) => setId(event.currentTarget.value)}
          error={binding.data?.map(words.failed).join(" ")}
        />
        <Button type="submit" variant="default" loading={binding.isPending}>
          {words.bind}
        </Button>
      </Group>
      {binding.error !== null && <Failure error={binding.error} />}
    </form>
  );
}
