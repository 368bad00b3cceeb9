import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { Facts } from "../../../kit/Facts";
import { TextLink } from "../../../kit/links";
import { Card } from "../../../kit/Page";
import { Status } from "../../../kit/Status";
import { Time } from "../../../kit/Time";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import classes from "../device.module.css";
import { type Device, events, type Target } from "../queries";
import { Certificates } from "./Certificates";
import { Retired } from "./Retired";
import { Tags } from "./Tags";

const words = texts.device.overview;
type Named = [label: string, value: ReactNode];

interface Props {
  target: Target;
  device: Device;
}

/** How the device stands, what it is, and how it came here. */
export function Overview({ target, device }: Props) {
  const history = useInfiniteQuery(events(target)).data?.pages.flatMap(({ events }) => events) ?? [];
  return (
    <div className={classes["columns"]}>
      <Standing device={device} />
      <Identity target={target} device={device} />
      <Certificates device={device} history={history} />
      <Card title={words.tags}>
        <Tags target={target} tags={device.tags} />
      </Card>
      <Retired target={target} />
    </div>
  );
}

function Standing({ device }: { device: Device }) {
  const { status, connection_status_update_time: changed, active_time } = device;
  const facts: (Named | undefined)[] = [
    [words.status, <Status key="status" status={status} />],
    typeof changed === "string"
      ? [status === "ONLINE" ? words.onlineSince : words.lastSeen, <Time key="changed" at={changed} />]
      : undefined,
    [words.firstOnline, typeof active_time === "string" ? <Time key="first" at={active_time} dated /> : words.neverYet],
    said(words.sdk, device.device_sdk_version),
    said(words.firmware, device.fw_version),
    said(words.software, device.sw_version),
  ];
  return (
    <Card title={words.standing}>
      <Facts facts={facts.filter((fact) => fact !== undefined)} />
    </Card>
  );
}

/** What the device or an operator has said, if they have. */
function said(label: string, text: string | null | undefined): Named | undefined {
  return typeof text === "string" && text !== "" ? [label, <Untrusted key={label} text={text} />] : undefined;
}

function Identity({ target: { instance }, device }: Props) {
  const { origin, product_id: product, app_id: space } = device;
  const [template, certificate] = [origin?.template_id ?? undefined, origin?.certificate_id ?? undefined];
  const facts: (Named | undefined)[] = [
    said(words.nodeId, device.node_id),
    said(words.name, device.device_name),
    said(words.description, device.description),
    [
      words.product,
      <TextLink key="p" to="/instances/$instance/products/$product" params={{ instance, product }} fz="inherit">
        <Untrusted text={device.product_name} />
      </TextLink>,
    ],
    [
      words.space,
      <TextLink key="s" to="/instances/$instance/spaces/$space" params={{ instance, space }} fz="inherit">
        <Untrusted text={device.app_name} />
      </TextLink>,
    ],
    [
      words.registered,
      <span key="r">
        <Time at={device.create_time} dated /> {words.by[origin?.registered_by === "operator" ? "operator" : "itself"]}
      </span>,
    ],
    template === undefined
      ? undefined
      : [
          words.template,
          <span key="t">
            <TextLink to="/instances/$instance/templates/$template" params={{ instance, template }} fz="inherit">
              <Untrusted text={template} />
            </TextLink>{" "}
            {typeof origin?.template_version === "number" && words.version(origin.template_version)}
          </span>,
        ],
    certificate === undefined
      ? undefined
      : [
          words.ca,
          <TextLink
            key="c"
            to="/instances/$instance/ca-certificates/$certificate"
            params={{ instance, certificate }}
            fz="inherit"
          >
            <Untrusted text={certificate} />
          </TextLink>,
        ],
  ];
  return (
    <Card title={words.identity}>
      <Facts facts={facts.filter((fact) => fact !== undefined)} />
    </Card>
  );
}
