import { Button, Group, Loader, Switch, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";

import { Empty } from "../../../kit/Empty";
import { Failure } from "../../../kit/Failure";
import { Card } from "../../../kit/Page";
import { Time } from "../../../kit/Time";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import classes from "../device.module.css";
import { Payload } from "../payload/Payload";
import { type Target, type Uplink, uplinks } from "../queries";
import { useUplinkStream } from "./useUplinkStream";

const words = texts.device.uplinks;

/** What the device has sent and sends, newest first. */
export function Uplinks({ target }: { target: Target }) {
  const [live, setLive] = useState(true);
  const past = useInfiniteQuery(uplinks(target));
  const before = past.data?.pages.flatMap(({ uplinks }) => uplinks) ?? [];
  const damaged = (past.data?.pages ?? []).reduce((sum, page) => sum + (page.damaged ?? 0), 0);
  // The stream goes on where the first page ends, so that nothing is between.
  const stream = useUplinkStream(target, before[0]?.marker, live && past.isSuccess);
  const known = new Set(before.map(({ marker }) => marker));
  const all = [...stream.uplinks.filter(({ marker }) => !known.has(marker)), ...before];
  return (
    <Card
      title={words.title}
      actions={
        <Group gap="md">
          <Text size="sm" c="var(--rc-muted)" role="status">
            {live ? words.states[stream.state] : words.paused}
          </Text>
          <Switch
            size="sm"
            label={words.live}
            checked={live}
            onChange={({ currentTarget: { checked } }) => setLive(checked)}
          />
        </Group>
      }
    >
      {past.error !== null && <Failure error={past.error} />}
      {past.isPending && <Loader size="sm" aria-label={texts.kit.loading} />}
      {stream.isIncomplete && <Text size="sm">{words.incomplete}</Text>}
      {damaged > 0 && <Text size="sm">{words.damaged(damaged)}</Text>}
      {past.isSuccess && all.length === 0 && <Empty text={words.none} />}
      <ol className={classes["entries"]}>
        {all.map((uplink) => (
          <li key={uplink.marker} className={classes["entry"]}>
            <One uplink={uplink} />
          </li>
        ))}
      </ol>
      {past.hasNextPage && (
        <Button
          variant="default"
          size="xs"
          mt="sm"
          loading={past.isFetchingNextPage}
          onClick={() => void past.fetchNextPage()}
        >
          {words.earlier}
        </Button>
      )}
    </Card>
  );
}

function One({ uplink: { topic, time, qos, payload, payload_encoding, properties } }: { uplink: Uplink }) {
  return (
    <>
      <div className={classes["head"]}>
        <Untrusted text={topic} mono />
        <Text size="sm" c="var(--rc-muted)">
          <Time at={time} /> · {words.qos(qos)}
        </Text>
      </div>
      <Payload payload={payload} encoding={payload_encoding} />
      {properties !== null && properties !== undefined && (
        <details className={classes["details"]}>
          <summary>{words.properties}</summary>
          <Payload payload={properties} encoding="json" />
        </details>
      )}
    </>
  );
}
