import { Text } from "@mantine/core";
import type { ReactNode } from "react";

import { Facts } from "../../../kit/Facts";
import { Card } from "../../../kit/Page";
import { Time } from "../../../kit/Time";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import type { Device } from "../queries";
import { certificateIn, type Event } from "../timeline/timeline";

const words = texts.device.certificates;

/** The certificates that the device may connect with, as its history tells them. */
export function Certificates({ device, history }: { device: Device; history: Event[] }) {
  const { auth_type, fingerprint, secondary_fingerprint } = device.auth_info;
  return (
    <Card title={words.title}>
      {auth_type !== "CERTIFICATES" && <Text size="sm">{words.bySecret}</Text>}
      {auth_type === "CERTIFICATES" && typeof fingerprint !== "string" && <Text size="sm">{words.next}</Text>}
      {typeof fingerprint === "string" && <One name={words.primary} fingerprint={fingerprint} history={history} />}
      {typeof secondary_fingerprint === "string" && (
        <One name={words.secondary} fingerprint={secondary_fingerprint} history={history} />
      )}
    </Card>
  );
}

function One({ name, fingerprint, history }: { name: string; fingerprint: string; history: Event[] }) {
  const known = certificateIn(history, fingerprint);
  const facts: [string, ReactNode][] = [
    [fingerprint.length === 40 ? words.sha1 : words.sha256, <Untrusted key="f" text={fingerprint} mono />],
    [words.subject, known?.subject === undefined ? words.unproven : <Untrusted key="s" text={known.subject} />],
  ];
  if (known?.notBefore !== undefined) {
    facts.push([words.from, <Time key="b" at={known.notBefore} dated />]);
  }
  if (known?.notAfter !== undefined) {
    facts.push([words.until, <Time key="a" at={known.notAfter} dated />]);
  }
  return (
    <>
      <Text size="sm" fw={600} mt={4} mb={4}>
        {name}
      </Text>
      <Facts facts={facts} />
    </>
  );
}
