import { Badge } from "@mantine/core";

import { CodeLink } from "../../kit/CodeLink";
import type { Column } from "../../kit/DataTable";
import { TextLink } from "../../kit/links";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import type { Row, Subject } from "./describe";
import classes from "./LiveScreen.module.css";

const clock = new Intl.DateTimeFormat(texts.locale, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});

/** The columns of one instance's rows. */
export function columns(instance: string): Column<Row>[] {
  return [
    {
      id: "time",
      header: texts.live.time,
      width: "7.5rem",
      cell: ({ time }) => time !== undefined && <Moment at={time} />,
    },
    { id: "kind", header: texts.live.kind, width: "7rem", cell: ({ kind }) => <KindBadge kind={kind} /> },
    { id: "what", header: texts.live.what, width: "12rem", cell: (row) => <What row={row} instance={instance} /> },
    {
      id: "subject",
      header: texts.live.subject,
      width: "13rem",
      cell: ({ subject, claimed = "" }) =>
        subject === undefined ? <Untrusted text={claimed} /> : <SubjectLink subject={subject} instance={instance} />,
    },
    { id: "detail", header: texts.live.detail, width: "18rem", cell: ({ detail }) => <Untrusted text={detail} /> },
  ];
}

/** To the millisecond: what is seen here is compared with other logs. */
function Moment({ at }: { at: string }) {
  return (
    <time dateTime={at} title={at} className={classes["time"]}>
      {clock.format(new Date(at))}
    </time>
  );
}

function KindBadge({ kind }: { kind: Row["kind"] }) {
  return (
    <Badge variant="default" tt="none" className={classes["kind"] ?? ""} data-kind={kind}>
      {texts.live.kinds[kind]}
    </Badge>
  );
}

function What({ row: { what, code, attempt }, instance }: { row: Row; instance: string }) {
  if (code === undefined) {
    return <>{what}</>;
  }
  return (
    <>
      <CodeLink code={code} />
      {attempt !== undefined && (
        <>
          {" "}
          <TextLink to="/instances/$instance/debug" params={{ instance }} search={{ attempt }} underline="always">
            {texts.live.explain}
          </TextLink>
        </>
      )}
    </>
  );
}

function SubjectLink({ subject: { kind, id }, instance }: { subject: Subject; instance: string }) {
  const label = <Untrusted text={id} mono />;
  switch (kind) {
    case "device":
      return (
        <TextLink to="/instances/$instance/devices/$device" params={{ instance, device: id }}>
          {label}
        </TextLink>
      );
    case "policy":
      return (
        <TextLink to="/instances/$instance/policies/$policy" params={{ instance, policy: id }}>
          {label}
        </TextLink>
      );
    case "template":
      return (
        <TextLink to="/instances/$instance/templates/$template" params={{ instance, template: id }}>
          {label}
        </TextLink>
      );
    case "ca":
      return (
        <TextLink to="/instances/$instance/ca-certificates/$certificate" params={{ instance, certificate: id }}>
          {label}
        </TextLink>
      );
    case "product":
      return (
        <TextLink to="/instances/$instance/products/$product" params={{ instance, product: id }}>
          {label}
        </TextLink>
      );
    case "space":
      return (
        <TextLink to="/instances/$instance/spaces/$space" params={{ instance, space: id }}>
          {label}
        </TextLink>
      );
  }
}
