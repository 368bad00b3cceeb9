import { List, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { Loaded } from "../../kit/Loaded";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import classes from "./attempts.module.css";
import { attempt } from "./queries";

const words = texts.attempts.details;

/** Every check of an attempt with what it found, asked for when it is opened. */
export function AttemptDetails({ instance, position }: { instance: string; position: number }) {
  const [opened, setOpened] = useState(false);
  return (
    <details className={classes["details"]} onToggle={({ currentTarget }) => setOpened(currentTarget.open)}>
      <summary>{words.open}</summary>
      {opened && <Checks instance={instance} position={position} />}
    </details>
  );
}

function Checks({ instance, position }: { instance: string; position: number }) {
  const query = useQuery(attempt(instance, position));
  return (
    <Loaded query={query}>
      {({ checks }) =>
        checks.length === 0 ? (
          <Text size="sm">{words.noChecks}</Text>
        ) : (
          <List size="sm" spacing={2} mt={4}>
            {checks.map(({ name, passed, detail }, index) => (
              <List.Item key={index}>
                <Text span size="sm" fw={600} c={passed ? "var(--rc-good)" : "var(--rc-bad)"}>
                  {passed ? words.passed : words.failed}
                </Text>{" "}
                <code>{name}</code> <Untrusted text={detail} />
              </List.Item>
            ))}
          </List>
        )
      }
    </Loaded>
  );
}
