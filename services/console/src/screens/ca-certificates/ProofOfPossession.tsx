import { Button, Group, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import type { CaCertificate } from "../../api/lists";
import type { Place } from "../../api/place";
import { CommandLines } from "../../kit/CommandLines";
import { Failure } from "../../kit/Failure";
import { FileDrop } from "../../kit/FileDrop";
import { texts } from "../../texts";
import { opensslProof, pkiProof } from "./lines";
import { issueCode, prove } from "./queries";

/** The code that is to be signed, the lines that sign it, and where the result goes: dropped, it is tried at once. */
export function ProofOfPossession({ place, certificate }: { place: Place; certificate: CaCertificate }) {
  const words = texts.caCertificates.proof;
  const [pem, setPem] = useState("");
  const queries = useQueryClient();
  const refreshed = () => queries.invalidateQueries({ queryKey: ["ca-certificates", place.instance] });
  const proving = useMutation({
    mutationFn: (pem: string) => prove(place, certificate.certificate_id, pem),
    onSuccess: refreshed,
  });
  const take = (text: string) => {
    setPem(text);
    // A text that is being typed is not yet one.
    if (text.includes("-----END CERTIFICATE-----") && !proving.isPending) {
      proving.mutate(text);
    }
  };
  const renewing = useMutation({
    mutationFn: () => issueCode(place, certificate.certificate_id),
    onSuccess: refreshed,
  });
  const code = certificate.verify_code;
  return (
    <Stack gap="sm">
      <Text size="sm">{words.explain}</Text>
      {code === null || code === undefined ? (
        <Text size="sm">{words.noCode}</Text>
      ) : (
        <>
          <CommandLines label={words.code} lines={[code]} />
          <CommandLines label={words.openssl} lines={opensslProof(code)} />
          <CommandLines label={words.pki} lines={pkiProof(code)} />
          <FileDrop label={words.drop} value={pem} onChange={take} />
        </>
      )}
      {proving.error !== null && <Failure error={proving.error} />}
      {renewing.error !== null && <Failure error={renewing.error} />}
      <Group gap="sm">
        <Button variant="default" size="xs" onClick={() => renewing.mutate()} loading={renewing.isPending}>
          {words.newCode}
        </Button>
        <Text size="sm" c="var(--rc-muted)">
          {words.newCodeHint}
        </Text>
      </Group>
    </Stack>
  );
}
