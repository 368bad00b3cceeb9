import { Alert, Button, Group, Loader, Select, Stack } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { type CaCertificate, spaces } from "../../api/lists";
import type { Place } from "../../api/place";
import { CommandLines } from "../../kit/CommandLines";
import { CopyAs } from "../../kit/CopyAs";
import { Failure } from "../../kit/Failure";
import { FileDrop } from "../../kit/FileDrop";
import { texts } from "../../texts";
import { Inspected } from "./Inspected";
import { OPENSSL_CA, PKI_CA } from "./lines";
import { describedUpload, inspection, upload } from "./queries";

interface Props {
  place: Place;
  /** The resource space that it goes into; one is chosen here if there is none. */
  space?: string | undefined;
  onUploaded: (certificate: CaCertificate) => void;
}

/** Takes a CA certificate, shows what it says and what an upload would be refused for, and uploads it. */
export function UploadCa({ place, space, onUploaded }: Props) {
  const words = texts.caCertificates.upload;
  const [pem, setPem] = useState("");
  const [chosen, setChosen] = useState<string | null>(null);
  const queries = useQueryClient();
  const inspected = useQuery(inspection(pem));
  const known = useQuery(spaces(place)).data ?? [];
  const target = space ?? chosen ?? known.find((one) => one.default_app)?.app_id ?? known[0]?.app_id;
  const uploading = useMutation({
    mutationFn: () => upload(place, pem, target),
    onSuccess: async (certificate) => {
      await queries.invalidateQueries({ queryKey: ["ca-certificates", place.instance] });
      onUploaded(certificate);
    },
  });
  const certificates = inspected.data?.certificates ?? [];
  const fits = certificates.length === 1 && certificates.every(({ problems }) => problems.length === 0);
  return (
    <Stack gap="sm">
      <FileDrop
        label={words.drop}
        value={pem}
        onChange={(text) => {
          uploading.reset();
          setPem(text);
        }}
      />
      {pem === "" && (
        <>
          <CommandLines label={words.make} lines={OPENSSL_CA} />
          <CommandLines label={words.makePki} lines={PKI_CA} />
        </>
      )}
      {inspected.isFetching && <Loader size="sm" aria-label={texts.kit.loading} />}
      {inspected.error !== null && <Failure error={inspected.error} />}
      {certificates.map((certificate) => (
        <Inspected key={certificate.fingerprint_sha256} certificate={certificate} />
      ))}
      {certificates.length > 1 && <Alert color="red">{words.more(certificates.length)}</Alert>}
      {fits && (
        <>
          {space === undefined && known.length > 1 && (
            <Select
              label={words.space}
              data={known.map(({ app_id, app_name }) => ({ value: app_id, label: app_name }))}
              value={target ?? null}
              onChange={setChosen}
              allowDeselect={false}
            />
          )}
          {uploading.error !== null && <Failure error={uploading.error} />}
          <Group gap="sm">
            <Button onClick={() => uploading.mutate()} loading={uploading.isPending}>
              {words.submit}
            </Button>
            <CopyAs of={describedUpload(place, pem, target)} />
          </Group>
        </>
      )}
    </Stack>
  );
}
