import { Alert, List } from "@mantine/core";

import type { Schemas } from "../../api/client";
import { Facts } from "../../kit/Facts";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";

export type InspectedCertificate = Schemas["InspectedCertificate"];

/** What a certificate says, before anything is done with it. */
export function Inspected({ certificate }: { certificate: InspectedCertificate }) {
  const words = texts.caCertificates.inspected;
  return (
    <>
      <Facts
        facts={[
          [words.subject, <Untrusted key="subject" text={certificate.subject} />],
          [words.issuer, <Untrusted key="issuer" text={certificate.issuer} />],
          [words.serial, <Untrusted key="serial" text={certificate.serial_number} mono />],
          [
            words.validity,
            <span key="validity">
              <Time at={certificate.not_before} dated /> – <Time at={certificate.not_after} dated />
            </span>,
          ],
          [words.key, certificate.public_key],
          [words.signature, certificate.signature_algorithm],
          [words.isCa, certificate.is_ca ? words.yes : words.no],
          [words.fingerprint, <Untrusted key="fingerprint" text={certificate.fingerprint_sha256} mono />],
        ]}
      />
      {certificate.problems.length > 0 && (
        <Alert color="red" variant="light" role="alert" title={texts.caCertificates.upload.problems} mt="sm">
          <List size="sm">
            {certificate.problems.map(({ code, text }) => (
              <List.Item key={code + text}>
                <Untrusted text={text} />
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
    </>
  );
}
