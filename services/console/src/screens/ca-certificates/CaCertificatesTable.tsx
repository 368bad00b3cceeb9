import { Group } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { type CaCertificate, nameOfCa, type Space, type Template } from "../../api/lists";
import type { Column } from "../../kit/DataTable";
import { TextLink } from "../../kit/links";
import { SearchedTable } from "../../kit/SearchedTable";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { expiryOf } from "./expiry";
import classes from "./CaCertificates.module.css";

interface Props {
  instance: string;
  certificates: CaCertificate[];
  spaces: Space[];
  templates: Template[];
  /** What stands where there is none. */
  none: ReactNode;
  q: string;
  onSearch: (q: string | undefined) => void;
}

function columns({
  instance,
  spaces,
  templates,
}: Pick<Props, "instance" | "spaces" | "templates">): Column<CaCertificate>[] {
  const words = texts.caCertificates;
  const spaceNames = new Map(spaces.map(({ app_id, app_name }) => [app_id, app_name]));
  const templateNames = new Map(templates.map(({ template_id, template_name }) => [template_id, template_name]));
  return [
    {
      id: "name",
      header: words.columns.name,
      cell: ({ certificate_id, cn_name }) => (
        <TextLink
          to="/instances/$instance/ca-certificates/$certificate"
          params={{ instance, certificate: certificate_id }}
        >
          <Untrusted text={nameOfCa({ certificate_id, cn_name })} />
        </TextLink>
      ),
    },
    {
      id: "space",
      header: words.columns.space,
      cell: ({ app_id }) => <Untrusted text={spaceNames.get(app_id) ?? app_id} />,
    },
    { id: "proof", header: words.columns.proof, cell: (certificate) => <Proof certificate={certificate} /> },
    {
      id: "template",
      header: words.columns.template,
      cell: ({ template_id }) => (
        <Untrusted text={templateNames.get(template_id ?? "") ?? template_id ?? words.noTemplate} />
      ),
    },
    {
      id: "selfRegistration",
      header: words.columns.selfRegistration,
      cell: ({ provision_enable }) => (provision_enable ? words.on : words.off),
    },
    { id: "expiry", header: words.columns.expiry, cell: ({ expiry_date }) => <Expiry date={expiry_date} /> },
  ];
}

export function CaCertificatesTable({ certificates, none, q, onSearch, ...known }: Props) {
  const navigate = useNavigate();
  const { instance } = known;
  return (
    <SearchedTable
      words={texts.caCertificates}
      rows={certificates}
      none={none}
      textsOf={({ cn_name, certificate_id, app_id }) => [cn_name, certificate_id, app_id]}
      q={q}
      onSearch={onSearch}
      columns={columns(known)}
      rowId={({ certificate_id }) => certificate_id}
      onOpen={({ certificate_id }) =>
        void navigate({
          to: "/instances/$instance/ca-certificates/$certificate",
          params: { instance, certificate: certificate_id },
        })
      }
    />
  );
}

/** Whether its owner has proven to hold the key. */
export function Proof({ certificate }: { certificate: CaCertificate }) {
  const words = texts.caCertificates;
  return (
    <span className={classes[certificate.status ? "good" : "warn"]}>
      {certificate.status ? words.verified : words.unverified}
    </span>
  );
}

/** Until when it is good, with a word where that is soon or over. */
export function Expiry({ date }: { date: string }) {
  const words = texts.caCertificates;
  const expiry = expiryOf(date, new Date());
  return (
    <Group gap={6} wrap="nowrap">
      <Time at={date} dated />
      {expiry === "ended" && <span className={classes["bad"]}>{words.ended}</span>}
      {expiry === "soon" && <span className={classes["warn"]}>{words.endsSoon}</span>}
    </Group>
  );
}
