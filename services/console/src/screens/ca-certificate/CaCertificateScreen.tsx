import { Alert, Spoiler, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";

import { nameOfCa } from "../../api/lists";
import { usePlace } from "../../api/place";
import { mayChange, useOperator } from "../../api/session";
import { CopyAs } from "../../kit/CopyAs";
import { CommandLines } from "../../kit/CommandLines";
import { Facts } from "../../kit/Facts";
import { ButtonLink } from "../../kit/links";
import { Loaded } from "../../kit/Loaded";
import { Card, Page } from "../../kit/Page";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { BindTemplate } from "../ca-certificates/BindTemplate";
import { Expiry, Proof } from "../ca-certificates/CaCertificatesTable";
import { Inspected } from "../ca-certificates/Inspected";
import { ProofOfPossession } from "../ca-certificates/ProofOfPossession";
import { caCertificate, described, inspection, type WholeCaCertificate } from "../ca-certificates/queries";
import { DeleteCa } from "./DeleteCa";
import { Trusted } from "./Trusted";

export function CaCertificateScreen() {
  const words = texts.caCertificate;
  const place = usePlace();
  const { certificate } = useParams({ from: "/signed-in/instances/$instance/ca-certificates/$certificate" });
  const query = useQuery(caCertificate(place, certificate));
  const may = mayChange(useOperator());
  const { instance } = place;
  return (
    <Page
      title={query.data === undefined ? words.title : words.titleOf(nameOfCa(query.data))}
      actions={
        query.data !== undefined && (
          <>
            <CopyAs of={described(place, query.data)} />
            <ButtonLink variant="default" to="/instances/$instance/debug" params={{ instance }} search={{}}>
              {words.debug}
            </ButtonLink>
            {may && <DeleteCa place={place} certificate={query.data} />}
          </>
        )
      }
    >
      <Loaded query={query}>
        {(shown) => (
          <Stack>
            <Standing certificate={shown} />
            {!shown.status && (
              <Card title={texts.caCertificates.proof.title}>
                <Alert color="orange" variant="light" mb="sm">
                  {words.notYetProven}
                </Alert>
                {may && <ProofOfPossession place={place} certificate={shown} />}
              </Card>
            )}
            {shown.status && (
              <Card title={texts.caCertificates.binding.title}>
                <BindTemplate place={place} certificate={shown} mayChange={may} />
              </Card>
            )}
            <Card title={words.trusted.title}>
              <Trusted place={place} certificate={certificate} />
            </Card>
          </Stack>
        )}
      </Loaded>
    </Page>
  );
}

function Standing({ certificate }: { certificate: WholeCaCertificate }) {
  const words = texts.caCertificate;
  const inspected = useQuery(inspection(certificate.content));
  return (
    <Card>
      <Stack gap="sm">
        <Facts
          facts={[
            [words.id, <Untrusted key="id" text={certificate.certificate_id} mono />],
            [texts.caCertificates.columns.space, <Untrusted key="space" text={certificate.app_id} />],
            [texts.caCertificates.columns.proof, <Proof key="proof" certificate={certificate} />],
            [texts.caCertificates.columns.expiry, <Expiry key="expiry" date={certificate.expiry_date} />],
            [words.uploaded, <Time key="uploaded" at={certificate.create_date} dated />],
          ]}
        />
        {inspected.data?.certificates.map((one) => (
          <Inspected key={one.fingerprint_sha256} certificate={one} />
        ))}
        <Spoiler maxHeight={0} showLabel={words.pem} hideLabel={words.hidePem}>
          <CommandLines label={words.pem} lines={[certificate.content.trimEnd()]} />
        </Spoiler>
      </Stack>
    </Card>
  );
}
