import { useInfiniteQuery } from "@tanstack/react-query";

import { Card } from "../../../kit/Page";
import { TextLink } from "../../../kit/links";
import { Status } from "../../../kit/Status";
import { Time } from "../../../kit/Time";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import classes from "../device.module.css";
import { Fact, Facts } from "../Facts";
import { type Device, events, type Target } from "../queries";
import { Certificates } from "./Certificates";
import { Retired } from "./Retired";
import { Tags } from "./Tags";

const words = texts.device.overview;

/** How the device stands, what it is, and how it came here. */
export function Overview({ target, device }: { target: Target; device: Device }) {
  const history = useInfiniteQuery(events(target)).data?.pages.flatMap(({ events }) => events) ?? [];
  return (
    <div className={classes["columns"]}>
      <Standing device={device} />
      <Identity target={target} device={device} />
      <Certificates target={target} device={device} history={history} />
      <Card title={words.tags}>
        <Tags target={target} tags={device.tags} />
      </Card>
      <Retired target={target} />
    </div>
  );
}

function Standing({ device }: { device: Device }) {
  const { status, connection_status_update_time: changed, active_time } = device;
  return (
    <Card title={words.standing}>
      <Facts>
        <Fact name={words.status}>
          <Status status={status} />
        </Fact>
        {typeof changed === "string" && (
          <Fact name={status === "ONLINE" ? words.onlineSince : words.lastSeen}>
            <Time at={changed} />
          </Fact>
        )}
        <Fact name={words.firstOnline}>
          {typeof active_time === "string" ? <Time at={active_time} /> : words.neverYet}
        </Fact>
        {versions(device).map(([name, version]) => (
          <Fact key={name} name={name}>
            <Untrusted text={version} />
          </Fact>
        ))}
      </Facts>
    </Card>
  );
}

/** What the device has said of its own software, where it has. */
function versions({ device_sdk_version, fw_version, sw_version }: Device): [string, string][] {
  const all: [string, string | null | undefined][] = [
    [words.sdk, device_sdk_version],
    [words.firmware, fw_version],
    [words.software, sw_version],
  ];
  return all.flatMap(([name, version]) => (typeof version === "string" ? [[name, version]] : []));
}

function Identity({ target: { instance }, device }: { target: Target; device: Device }) {
  const { origin } = device;
  return (
    <Card title={words.identity}>
      <Facts>
        <Fact name={words.nodeId}>
          <Untrusted text={device.node_id} />
        </Fact>
        <Fact name={words.name}>
          <Untrusted text={device.device_name ?? "–"} />
        </Fact>
        {typeof device.description === "string" && (
          <Fact name={words.description}>
            <Untrusted text={device.description} />
          </Fact>
        )}
        <Fact name={words.product}>
          <TextLink
            to="/instances/$instance/products/$product"
            params={{ instance, product: device.product_id }}
            size="sm"
          >
            <Untrusted text={device.product_name} />
          </TextLink>
        </Fact>
        <Fact name={words.space}>
          <TextLink to="/instances/$instance/spaces/$space" params={{ instance, space: device.app_id }} size="sm">
            <Untrusted text={device.app_name} />
          </TextLink>
        </Fact>
        <Fact name={words.registered}>
          <Time at={device.create_time} /> {words.by[origin?.registered_by === "operator" ? "operator" : "itself"]}
        </Fact>
        {typeof origin?.template_id === "string" && (
          <Fact name={words.template}>
            <TextLink
              to="/instances/$instance/templates/$template"
              params={{ instance, template: origin.template_id }}
              size="sm"
            >
              <Untrusted text={origin.template_id} />
            </TextLink>{" "}
            {typeof origin.template_version === "number" && words.version(origin.template_version)}
          </Fact>
        )}
        {typeof origin?.certificate_id === "string" && (
          <Fact name={words.ca}>
            <TextLink
              to="/instances/$instance/ca-certificates/$certificate"
              params={{ instance, certificate: origin.certificate_id }}
              size="sm"
            >
              <Untrusted text={origin.certificate_id} />
            </TextLink>
          </Fact>
        )}
      </Facts>
    </Card>
  );
}
