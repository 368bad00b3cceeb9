import { Text } from "@mantine/core";

import { Card } from "../../../kit/Page";
import { Time } from "../../../kit/Time";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import { Fact, Facts } from "../Facts";
import type { Device, Target } from "../queries";
import { certificateIn, type Event } from "../timeline/timeline";

const words = texts.device.certificates;

/** The certificates that the device may connect with, as its history tells them. */
export function Certificates({ device, history }: { target: Target; device: Device; history: Event[] }) {
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
  return (
    <>
      <Text size="sm" fw={600} mt={4} mb={4}>
        {name}
      </Text>
      <Facts>
        <Fact name={fingerprint.length === 40 ? words.sha1 : words.sha256}>
          <Untrusted text={fingerprint} mono />
        </Fact>
        {known === undefined && <Fact name={words.subject}>{words.unproven}</Fact>}
        {known?.subject !== undefined && (
          <Fact name={words.subject}>
            <Untrusted text={known.subject} />
          </Fact>
        )}
        {known?.notBefore !== undefined && (
          <Fact name={words.from}>
            <Time at={known.notBefore} />
          </Fact>
        )}
        {known?.notAfter !== undefined && (
          <Fact name={words.until}>
            <Time at={known.notAfter} />
          </Fact>
        )}
      </Facts>
    </>
  );
}
