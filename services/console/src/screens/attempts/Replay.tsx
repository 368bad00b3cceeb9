import { Button, Group, Progress, Text } from "@mantine/core";
import { useState } from "react";

import { ApiError } from "../../api/error";
import { mayChange, useOperator } from "../../api/session";
import { ConfirmDialog } from "../../kit/ConfirmDialog";
import { type Column, DataTable } from "../../kit/DataTable";
import { TextLink } from "../../kit/links";
import { Card } from "../../kit/Page";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import type { Refused } from "./groups";
import type { Outcome } from "./replay";
import { useReplay } from "./useReplay";

const words = texts.attempts.replay;

interface Row extends Refused {
  instance: string;
  outcome: Outcome | undefined;
}

const columns: Column<Row>[] = [
  { id: "subject", header: words.subject, cell: ({ subject }) => <Untrusted text={subject} /> },
  {
    id: "fingerprint",
    header: words.fingerprint,
    cell: ({ fingerprint }) => <Untrusted text={`${fingerprint.slice(0, 16)}…`} mono />,
  },
  {
    id: "device",
    header: words.device,
    cell: ({ instance, device }) =>
      device === undefined ? (
        "–"
      ) : (
        <TextLink to="/instances/$instance/devices/$device" params={{ instance, device }} size="sm">
          <Untrusted text={device} />
        </TextLink>
      ),
  },
  { id: "count", header: words.count, cell: ({ count }) => count, isNumber: true },
  { id: "last", header: words.last, cell: ({ last }) => <Time at={last.time} /> },
  { id: "outcome", header: words.outcome, cell: ({ outcome }) => outcome !== undefined && <Came outcome={outcome} /> },
];

/** The certificates of a group, and the replay of the last attempt of each. */
export function Replay({ instance, certificates }: { instance: string; certificates: Refused[] }) {
  const [asked, setAsked] = useState(false);
  const replaying = useReplay(instance);
  const { state, outcomes, total } = replaying;
  const may = mayChange(useOperator());
  const accepted = [...outcomes.values()].filter(({ accepted }) => accepted).length;
  const isRunning = state === "running" || state === "stopping";
  const positions = certificates.map(({ last }) => last.position);
  return (
    <Card
      title={words.title(certificates.length)}
      actions={
        may &&
        (isRunning ? (
          <Button size="xs" variant="default" onClick={replaying.stop} disabled={state === "stopping"}>
            {words.stop}
          </Button>
        ) : (
          <Button size="xs" onClick={() => setAsked(true)} disabled={positions.length === 0}>
            {words.all}
          </Button>
        ))
      }
    >
      {state !== "idle" && (
        <div role="status">
          <Progress value={total === 0 ? 100 : (outcomes.size / total) * 100} aria-label={words.progress} mb={4} />
          <Group gap="md" mb="xs">
            <Text size="sm">{words.done(outcomes.size, total)}</Text>
            <Text size="sm" c="var(--rc-good)">
              {words.accepted(accepted)}
            </Text>
            <Text size="sm" c="var(--rc-bad)">
              {words.refused(outcomes.size - accepted)}
            </Text>
            {state === "done" && outcomes.size < total && <Text size="sm">{words.stopped}</Text>}
          </Group>
        </div>
      )}
      <DataTable
        label={words.title(certificates.length)}
        columns={columns}
        rows={certificates.map((one) => ({ ...one, instance, outcome: outcomes.get(one.last.position) }))}
        rowId={({ fingerprint }) => fingerprint}
        {...(certificates.length > VIRTUAL && { height: "28rem" })}
      />
      <ConfirmDialog
        opened={asked}
        onClose={() => setAsked(false)}
        title={words.question(positions.length)}
        consequence={<Text size="sm">{words.consequence}</Text>}
        action={words.confirm}
        onConfirm={() => {
          replaying.start(positions);
          return Promise.resolve();
        }}
      />
    </Card>
  );
}

/** Certificates from which on only those in sight are drawn. */
const VIRTUAL = 50;

function Came({ outcome }: { outcome: Outcome }) {
  return outcome.accepted ? (
    <Text size="sm" c="var(--rc-good)">
      {words.letIn(outcome.position)}
    </Text>
  ) : (
    <Text size="sm" c="var(--rc-bad)" component="div">
      {words.stillRefused}{" "}
      <Untrusted
        text={`${outcome.error instanceof ApiError ? `${outcome.error.code}: ` : ""}${outcome.error.message}`}
      />
    </Text>
  );
}
