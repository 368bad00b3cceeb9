import { Group, SegmentedControl, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { TextLink } from "../../../kit/links";
import { Loaded } from "../../../kit/Loaded";
import { Card } from "../../../kit/Page";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import type { Target } from "../queries";
import type { Asked } from "../search";
import { policyTest, type PolicyTestAnswer } from "./queries";

/** Between the last letter and the test, ms. */
const TYPING_MS = 250;
const words = texts.device.tester;

/** Asks whether the device may publish to a topic or subscribe to it, and shows the statement that decides. */
export function Tester({ target }: { target: Target }) {
  const { ask = "publish", topic = "" } = useSearch({ from: "/signed-in/instances/$instance/devices/$device" });
  const navigate = useNavigate({ from: "/instances/$instance/devices/$device" });
  const [typed, setTyped] = useState(topic);
  const go = (ask: Asked, topic: string) =>
    void navigate({ search: (before) => ({ ...before, ask, topic }), replace: true, resetScroll: false });
  const type = useDebouncedCallback((text: string) => go(ask, text), TYPING_MS);
  const query = useQuery(policyTest(target, ask, topic));
  return (
    <Card title={words.title}>
      <Group gap="sm" align="flex-end">
        <SegmentedControl
          aria-label={words.action}
          value={ask}
          onChange={(value) => go(value === "subscribe" ? "subscribe" : "publish", typed)}
          data={[
            { value: "publish", label: words.publish },
            { value: "subscribe", label: words.subscribe },
          ]}
        />
        <TextInput
          flex="1 1 16rem"
          label={ask === "publish" ? words.topic : words.filter}
          placeholder={words.example}
          value={typed}
          onChange={({ currentTarget: { value } }) => {
            setTyped(value);
            type(value);
          }}
          spellCheck={false}
          autoComplete="off"
        />
      </Group>
      <div aria-live="polite">
        {topic !== "" && <Loaded query={query}>{(answer) => <Answer target={target} answer={answer} />}</Loaded>}
      </div>
    </Card>
  );
}

function Answer({ target, answer }: { target: Target; answer: PolicyTestAnswer }) {
  const { allowed, text, decided_by } = answer;
  return (
    <>
      <Text fw={600} mt="sm" c={allowed ? "var(--rc-good)" : "var(--rc-bad)"}>
        {allowed ? words.allowed : words.denied}
      </Text>
      <Text size="sm" component="div">
        <Untrusted text={text} />
      </Text>
      {decided_by !== null && decided_by !== undefined && (
        <Text size="sm" component="div">
          {words.decidedBy(decided_by.effect)}{" "}
          <TextLink
            to="/instances/$instance/policies/$policy"
            params={{ instance: target.instance, policy: decided_by.policy_id }}
            size="sm"
          >
            <Untrusted text={decided_by.policy_name} />
          </TextLink>
          : <Untrusted text={decided_by.resource} mono />
        </Text>
      )}
    </>
  );
}
