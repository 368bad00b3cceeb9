import { Button, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { caCertificates, spaces, templates } from "../../api/lists";
import { usePlace } from "../../api/place";
import { mayChange, useOperator } from "../../api/session";
import { contains } from "../../kit/contains";
import { CopyAs } from "../../kit/CopyAs";
import { Empty } from "../../kit/Empty";
import { Loaded } from "../../kit/Loaded";
import { Card, Page } from "../../kit/Page";
import { SearchField } from "../../kit/SearchField";
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
          {(all) =>
            all.length === 0 ? (
              <Empty text={may ? words.none : words.noneToSee}>{upload !== true && opener}</Empty>
            ) : (
              <>
                <SearchField
                  label={words.search}
                  value={q}
                  onChange={(text) =>
                    void navigate({ search: (now) => ({ ...now, q: text || undefined }), replace: true })
                  }
                />
                <Found
                  instance={place.instance}
                  certificates={all.filter((one) => contains([one.cn_name, one.certificate_id, one.app_id], q))}
                  q={q}
                  {...known}
                />
              </>
            )
          }
        </Loaded>
        <DistrustedCas place={place} />
      </Stack>
    </Page>
  );
}

function Found({ q, ...props }: { q: string } & Parameters<typeof CaCertificatesTable>[0]) {
  return props.certificates.length === 0 ? (
    <Empty text={texts.caCertificates.notFound(q)} />
  ) : (
    <CaCertificatesTable {...props} />
  );
}
