import { Button, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { caCertificates, spaces, templates } from "../../api/lists";
import { usePlace } from "../../api/place";
import { mayChange, useOperator } from "../../api/session";
import { CopyAs } from "../../kit/CopyAs";
import { Empty } from "../../kit/Empty";
import { Loaded } from "../../kit/Loaded";
import { Card, Page } from "../../kit/Page";
import { texts } from "../../texts";
import { CaCertificatesTable } from "./CaCertificatesTable";
import { DistrustedCas } from "./DistrustedCas";
import { UploadCa } from "./UploadCa";

const from = "/signed-in/instances/$instance/ca-certificates";

export function CaCertificatesScreen() {
  const words = texts.caCertificates;
  const place = usePlace();
  const { q = "", upload } = useSearch({ from });
  const navigate = useNavigate({ from: "/instances/$instance/ca-certificates" });
  const may = mayChange(useOperator());
  const query = useQuery(caCertificates(place));
  const known = { spaces: useQuery(spaces(place)).data ?? [], templates: useQuery(templates(place)).data ?? [] };
  const path = `/v5/iot/${place.project}/certificates?limit=50`;
  const open = (isOpen: boolean) => navigate({ search: (now) => ({ ...now, upload: isOpen ? true : undefined }) });
  const opener = may && (
    <Button onClick={() => void open(upload !== true)} variant={upload === true ? "default" : "filled"}>
      {upload === true ? texts.kit.close : words.upload.open}
    </Button>
  );
  return (
    <Page
      title={words.title}
      actions={
        <>
          <CopyAs of={{ request: { method: "GET", path, instance: place.instance } }} />
          {(query.data?.length !== 0 || upload === true) && opener}
        </>
      }
    >
      <Stack>
        {upload === true && (
          <Card title={words.upload.title}>
            <UploadCa
              place={place}
              onUploaded={({ certificate_id }) =>
                void navigate({
                  to: "/instances/$instance/ca-certificates/$certificate",
                  params: { instance: place.instance, certificate: certificate_id },
                })
              }
            />
          </Card>
        )}
        <Loaded query={query}>
          {(all) => (
            <CaCertificatesTable
              {...known}
              instance={place.instance}
              certificates={all}
              none={<Empty text={may ? words.none : words.noneToSee}>{upload !== true && opener}</Empty>}
              q={q}
              onSearch={(sought) => void navigate({ search: (now) => ({ ...now, q: sought }), replace: true })}
            />
          )}
        </Loaded>
        <DistrustedCas place={place} />
      </Stack>
    </Page>
  );
}
