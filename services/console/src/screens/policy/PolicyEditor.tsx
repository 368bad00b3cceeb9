import { Button, Group, SegmentedControl, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { type Policy, spaces } from "../../api/lists";
import type { Place } from "../../api/place";
import { CopyAs } from "../../kit/CopyAs";
import { Failure } from "../../kit/Failure";
import { parseJson } from "../../kit/json";
import { JsonEditor } from "../../kit/JsonEditor";
import { texts } from "../../texts";
import { create, described, update } from "./queries";
import { StatementsForm } from "./StatementsForm";
import { emptyStatement, isStatements, type Statement } from "./statements";

interface Props {
  place: Place;
  /** What is changed; a new one when absent. */
  policy?: Policy;
  readOnly: boolean;
}

const asText = (statements: unknown) => JSON.stringify(statements, null, 2);

/** Name and statements of a policy, as a form or as JSON: one text, and the form where the text is what a form can show. */
export function PolicyEditor({ place, policy, readOnly }: Props) {
  const words = texts.policy;
  const [name, setName] = useState(policy?.policy_name ?? "");
  const [text, setText] = useState(() => asText(policy?.statement ?? [emptyStatement]));
  const [view, setView] = useState<"form" | "json">("form");
  const [chosen, setSpace] = useState<string | null>(null);
  const known = useQuery(spaces(place)).data ?? [];
  const space = chosen ?? known.find(({ default_app }) => default_app)?.app_id ?? known[0]?.app_id;
  const { value } = parseJson(text);
  const statements = isStatements(value) ? value : undefined;
  const queries = useQueryClient();
  const navigate = useNavigate();
  const saving = useMutation({
    mutationFn: (wanted: Statement[]) =>
      policy === undefined ? create(place, space, name, wanted) : update(place, policy.policy_id, name, wanted),
    onSuccess: async ({ policy_id }) => {
      await queries.invalidateQueries({ queryKey: ["policies", place.instance] });
      if (policy === undefined) {
        await navigate({
          to: "/instances/$instance/policies/$policy",
          params: { instance: place.instance, policy: policy_id },
        });
      }
    },
  });
  // What the form cannot show is the API's to judge: it says what is wrong, and where.
  const save = () => saving.mutate(value as Statement[]);
  return (
    <Stack gap="sm">
      <Group align="flex-end">
        <TextInput
          label={words.name}
          value={name}
          required
          readOnly={readOnly}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        {policy === undefined && known.length > 1 && (
          <Select
            label={words.space}
            data={known.map(({ app_id, app_name }) => ({ value: app_id, label: app_name }))}
            value={space ?? null}
            onChange={setSpace}
            allowDeselect={false}
          />
        )}
        <SegmentedControl
          aria-label={words.form}
          data={[
            { value: "form", label: words.form },
            { value: "json", label: words.json },
          ]}
          value={view}
          onChange={(wanted) => setView(wanted === "json" ? "json" : "form")}
        />
      </Group>
      {view === "json" ? (
        <JsonEditor label={words.jsonLabel} value={text} onChange={setText} readOnly={readOnly} />
      ) : statements === undefined ? (
        <Text size="sm" c="var(--rc-warn)">
          {words.formBroken}
        </Text>
      ) : (
        <StatementsForm statements={statements} onChange={(changed) => setText(asText(changed))} readOnly={readOnly} />
      )}
      {saving.error !== null && <Failure error={saving.error} />}
      {!readOnly && (
        <Group gap="sm">
          <Button onClick={save} loading={saving.isPending} disabled={name === "" || value === undefined}>
            {policy === undefined ? words.submit : words.save}
          </Button>
          {policy === undefined && statements !== undefined && (
            <CopyAs
              of={described(place, {
                policy_name: name,
                statement: statements,
                ...(space === undefined ? {} : { app_id: space }),
              })}
            />
          )}
          {policy !== undefined && (
            <Text size="sm" c="var(--rc-muted)">
              {words.changesAtOnce}
            </Text>
          )}
        </Group>
      )}
    </Stack>
  );
}
