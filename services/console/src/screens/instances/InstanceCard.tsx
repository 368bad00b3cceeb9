import { Badge, Group, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";

import { texts } from "../../texts";
import classes from "./InstancesScreen.module.css";
import type { Instance } from "./queries";

const number = new Intl.NumberFormat(texts.locale);
const figure = (value: number | null | undefined) =>
  value === null || value === undefined ? "–" : number.format(value);

/** What stands between an instance and being of use, in the words of its status. */
export function warnings({ status, self_registration_available }: Instance): string[] {
  const found = [];
  if (status === null || status === undefined) {
    found.push(texts.instances.notServed);
  } else {
    if (status.unready !== null && status.unready !== undefined) {
      found.push(texts.instances.unready(status.unready));
    }
    if (status.unwritable !== null && status.unwritable !== undefined) {
      found.push(texts.instances.unwritable(status.unwritable));
    }
  }
  if (self_registration_available === false) {
    found.push(texts.instances.noSelfRegistration);
  }
  return found;
}

export function InstanceCard({ instance }: { instance: Instance }) {
  const { id, access_domain, edition, status } = instance;
  const found = warnings(instance);
  return (
    <Link to="/instances/$instance/devices" params={{ instance: id }} className={classes["card"]}>
      <Group justify="space-between" wrap="nowrap">
        <Text fw={600}>{id}</Text>
        <Badge variant="light" color="gray">
          {edition}
        </Badge>
      </Group>
      <Text size="sm" c="var(--rc-muted)" className="untrusted">
        {access_domain}
      </Text>
      <dl className={classes["figures"]}>
        <Figure label={texts.instances.devices} value={figure(status?.devices)} />
        <Figure label={texts.instances.online} value={figure(status?.online)} />
        <Figure label={texts.instances.connectors} value={figure(status?.connectors)} />
      </dl>
      {found.map((warning) => (
        <Text key={warning} size="sm" c="var(--rc-warn)">
          {warning}
        </Text>
      ))}
    </Link>
  );
}

function Figure({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}
