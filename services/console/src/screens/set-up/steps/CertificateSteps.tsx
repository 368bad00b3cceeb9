import { Stack, Text } from "@mantine/core";

import { TextLink } from "../../../kit/links";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import { ProofOfPossession } from "../../ca-certificates/ProofOfPossession";
import { UploadCa } from "../../ca-certificates/UploadCa";
import type { StepProps } from "../Checklist";
import { Waits } from "./Waits";

export function CertificateStep({ place, progress: { space, certificate }, mayChange, onDone }: StepProps) {
  const words = texts.setUp.certificateStep;
  if (space === undefined) {
    return <Waits step="space" />;
  }
  return (
    <Stack gap="sm">
      <Text size="sm">{words.explain}</Text>
      {certificate !== undefined ? (
        <>
          <Untrusted text={words.is(certificate.cn_name)} />
          <TextLink
            size="sm"
            to="/instances/$instance/ca-certificates/$certificate"
            params={{ instance: place.instance, certificate: certificate.certificate_id }}
          >
            {words.show}
          </TextLink>
        </>
      ) : (
        mayChange && <UploadCa place={place} space={space.app_id} onUploaded={onDone} />
      )}
    </Stack>
  );
}

export function ProofStep({ place, progress: { certificate }, mayChange }: StepProps) {
  if (certificate === undefined) {
    return <Waits step="certificate" />;
  }
  if (certificate.status) {
    return <Text size="sm">{texts.setUp.proofStep.is}</Text>;
  }
  return mayChange && <ProofOfPossession place={place} certificate={certificate} />;
}
