import { Button, Checkbox, Group, SegmentedControl, Stack, Text, Textarea } from "@mantine/core";
import { useState } from "react";

import { texts } from "../../texts";
import classes from "./Policy.module.css";
import { emptyStatement, linesOf, PUBLISH, resourcesOf, type Statement, SUBSCRIBE } from "./statements";

interface Props {
  statements: Statement[];
  onChange: (statements: Statement[]) => void;
  readOnly: boolean;
}

export function StatementsForm({ statements, onChange, readOnly }: Props) {
  const words = texts.policy;
  const replace = (index: number, statement: Statement) => onChange(statements.with(index, statement));
  return (
    <Stack gap="sm">
      <Text size="sm">{words.denyWins}</Text>
      {statements.map((statement, index) => (
        // A statement has no name but its place.
        <fieldset key={index} className={classes["statement"]} disabled={readOnly}>
          <legend>{words.statement(index + 1)}</legend>
          <StatementFields statement={statement} onChange={(changed) => replace(index, changed)} />
          {!readOnly && statements.length > 1 && (
            <Button
              variant="subtle"
              color="red"
              size="compact-sm"
              mt="xs"
              onClick={() => onChange(statements.filter((_, other) => other !== index))}
            >
              {words.remove(index + 1)}
            </Button>
          )}
        </fieldset>
      ))}
      {!readOnly && (
        <div>
          <Button variant="default" size="compact-sm" onClick={() => onChange([...statements, emptyStatement])}>
            {words.add}
          </Button>
        </div>
      )}
    </Stack>
  );
}

function StatementFields({ statement, onChange }: { statement: Statement; onChange: (statement: Statement) => void }) {
  const words = texts.policy;
  // What is typed, blank lines included, as long as it means what the statement says.
  const [typed, setTyped] = useState(linesOf(statement));
  const shown = resourcesOf(typed).join() === statement.resources.join() ? typed : linesOf(statement);
  const toggle = (action: typeof PUBLISH | typeof SUBSCRIBE, isOn: boolean) => {
    const others = statement.actions.filter((one) => one !== action);
    onChange({ ...statement, actions: isOn ? [...others, action] : others });
  };
  return (
    <Stack gap="xs">
      <Group gap="lg">
        <SegmentedControl
          aria-label={words.effect}
          data={[
            { value: "ALLOW", label: words.allow },
            { value: "DENY", label: words.deny },
          ]}
          value={statement.effect}
          onChange={(effect) => onChange({ ...statement, effect: effect === "DENY" ? "DENY" : "ALLOW" })}
        />
        <Group gap="md" role="group" aria-label={words.actions}>
          <Checkbox
            label={words.publish}
            checked={statement.actions.includes(PUBLISH)}
            onChange={(event) => toggle(PUBLISH, event.currentTarget.checked)}
          />
          <Checkbox
            label={words.subscribe}
            checked={statement.actions.includes(SUBSCRIBE)}
            onChange={(event) => toggle(SUBSCRIBE, event.currentTarget.checked)}
          />
        </Group>
      </Group>
      <Textarea
        label={words.resources}
        description={words.resourcesHint}
        autosize
        minRows={2}
        spellCheck={false}
        classNames={{ input: "mono" }}
        value={shown}
        onChange={(event) => {
          const lines = event.currentTarget.value;
          setTyped(lines);
          onChange({ ...statement, resources: resourcesOf(lines) });
        }}
      />
    </Stack>
  );
}
