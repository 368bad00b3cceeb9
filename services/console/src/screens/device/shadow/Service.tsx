import { Button, Text } from "@mantine/core";

import type { Schemas } from "../../../api/client";
import { DataTable } from "../../../kit/DataTable";
import { Card } from "../../../kit/Page";
import { Time } from "../../../kit/Time";
import { Untrusted, visible } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import { difference, type PropertyStanding, type Standing } from "./difference";

const words = texts.device.shadow;
const TONES: Record<Standing, string> = {
  same: "var(--rc-good)",
  different: "var(--rc-bad)",
  unreported: "var(--rc-warn)",
  undesired: "var(--rc-muted)",
};

const columns = [
  { id: "name", header: words.property, cell: ({ name }: PropertyStanding) => <Untrusted text={name} /> },
  { id: "reported", header: words.reported, cell: ({ reported }: PropertyStanding) => <Value value={reported} /> },
  { id: "desired", header: words.desired, cell: ({ desired }: PropertyStanding) => <Value value={desired} /> },
  {
    id: "difference",
    header: words.difference,
    cell: ({ standing }: PropertyStanding) => (
      <Text size="sm" c={TONES[standing]}>
        {words.standings[standing]}
      </Text>
    ),
  },
];

interface Props {
  service: Schemas["ShadowOfService"];
  onEdit: (() => void) | undefined;
}

/** One service's properties: reported, desired, and how they differ. */
export function Service({ service: { service_id, reported, desired, version }, onEdit }: Props) {
  return (
    <Card
      title={visible(service_id)}
      actions={
        onEdit !== undefined && (
          <Button size="compact-sm" variant="default" onClick={onEdit} aria-label={words.editOf(service_id)}>
            {words.edit}
          </Button>
        )
      }
    >
      <Text size="xs" c="var(--rc-muted)" mb="xs">
        {words.version(version)}
        {typeof reported.event_time === "string" && (
          <>
            {" · "}
            {words.reportedAt} <Time at={reported.event_time} />
          </>
        )}
        {typeof desired.event_time === "string" && (
          <>
            {" · "}
            {words.desiredAt} <Time at={desired.event_time} />
          </>
        )}
      </Text>
      <DataTable
        label={words.tableOf(service_id)}
        columns={columns}
        rows={difference(reported.properties, desired.properties)}
        rowId={({ name }) => name}
      />
    </Card>
  );
}

function Value({ value }: { value: unknown }) {
  return value === undefined ? "–" : <Untrusted text={JSON.stringify(value)} mono />;
}
