import { Badge, Group } from "@mantine/core";
import { useInViewport } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";

import { Failure } from "../../kit/Failure";
import { ButtonLink, TextLink } from "../../kit/links";
import { texts } from "../../texts";
import { InstanceActivity } from "./InstanceActivity";
import { InstanceNotes } from "./InstanceNotes";
import classes from "./InstancesScreen.module.css";
import { type Instance, overview } from "./queries";
import { standing } from "./standing";

const number = new Intl.NumberFormat(texts.locale);
const figure = (value: number | null | undefined) =>
  value === null || value === undefined ? "–" : number.format(value);

/** How an instance stands. What is out of sight asks for nothing, for there may be hundreds. */
export function InstanceCard({ instance }: { instance: Instance }) {
  const { id, access_domain, edition, status, self_registration_available } = instance;
  const { ref, inViewport } = useInViewport<HTMLElement>();
  const more = useQuery({ ...overview(id), enabled: inViewport });
  const view = more.data?.view ?? status;
  const isEmpty = more.data?.devices.total === 0;
  return (
    <article ref={ref} className={classes["card"]} aria-labelledby={`instance-${id}`}>
      <Group justify="space-between" wrap="nowrap">
        <h3 id={`instance-${id}`} className={classes["name"]}>
          <TextLink to="/instances/$instance/devices" params={{ instance: id }} inherit>
            {id}
          </TextLink>
        </h3>
        <Badge variant="default" tt="none">
          {texts.instances.edition[edition]}
        </Badge>
      </Group>
      <div className={classes["domain"]}>{access_domain}</div>
      <dl className={classes["figures"]}>
        <Figure label={texts.instances.devices} value={figure(more.data?.devices.total ?? status?.devices)} />
        <Figure label={texts.instances.online} value={figure(more.data?.devices.online ?? status?.online)} />
        <Figure label={texts.instances.connectors} value={figure(status?.connectors)} />
      </dl>
      {view === null || view === undefined ? (
        <Line tone="warn" text={texts.instances.notServed} />
      ) : (
        <Line {...standing(view)} />
      )}
      {/* The overview says both among its warnings. */}
      {more.data === undefined && typeof status?.unwritable === "string" && (
        <Line tone="bad" text={texts.instances.unwritable(status.unwritable)} />
      )}
      {more.data === undefined && self_registration_available === false && (
        <Line tone="warn" text={texts.instances.noSelfRegistration} />
      )}
      <InstanceActivity instance={id} isInSight={inViewport} />
      {more.error !== null && <Failure error={more.error} />}
      {more.data !== undefined && <InstanceNotes instance={id} overview={more.data} now={more.dataUpdatedAt} />}
      <Group gap="xs" mt="auto">
        <ButtonLink to="/instances/$instance/devices" params={{ instance: id }} variant="default" size="compact-sm">
          {texts.instances.toDevices}
        </ButtonLink>
        <ButtonLink
          to="/instances/$instance/set-up"
          params={{ instance: id }}
          variant={isEmpty ? "light" : "default"}
          size="compact-sm"
        >
          {isEmpty ? texts.instances.setUp : texts.instances.toSetUp}
        </ButtonLink>
      </Group>
    </article>
  );
}

function Figure({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Line({ tone, text }: { tone: "good" | "warn" | "bad"; text: string }) {
  return (
    <div className={classes["line"]}>
      <span data-tone={tone} aria-hidden />
      {text}
    </div>
  );
}
