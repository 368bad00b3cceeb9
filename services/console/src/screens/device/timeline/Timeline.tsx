import { Button, Loader, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";

import { Empty } from "../../../kit/Empty";
import { Failure } from "../../../kit/Failure";
import { Card } from "../../../kit/Page";
import { Time } from "../../../kit/Time";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import { AttemptDetails } from "../../attempts/AttemptDetails";
import { CodeLink } from "../../../kit/CodeLink";
import classes from "../device.module.css";
import { Payload } from "../payload/Payload";
import { attempts, events, type Target } from "../queries";
import { actorOf, type Attempt, type Event, timeline } from "./timeline";

const words = texts.device.timeline;

/** What happened to the device and what it was refused, newest first, each with its position and who decided. */
export function Timeline({ target }: { target: Target }) {
  const happened = useInfiniteQuery(events(target));
  const refused = useInfiniteQuery({ ...attempts(target), throwOnError: false });
  const entries = timeline(
    { items: happened.data?.pages.flatMap(({ events }) => events) ?? [], hasMore: happened.hasNextPage },
    { items: refused.data?.pages.flatMap(({ attempts }) => attempts) ?? [], hasMore: refused.hasNextPage },
  );
  const isLoading = happened.isPending || refused.isPending;
  const more = () => {
    for (const list of [happened, refused]) {
      if (list.hasNextPage && !list.isFetching) {
        void list.fetchNextPage();
      }
    }
  };
  return (
    <Card title={words.title}>
      {[happened.error, refused.error].map((error, index) => error !== null && <Failure key={index} error={error} />)}
      {isLoading && <Loader size="sm" aria-label={texts.kit.loading} />}
      {!isLoading && entries.length === 0 && <Empty text={words.none} />}
      <ol className={classes["entries"]}>
        {entries.map((entry) => (
          <li key={entry.key} className={classes["entry"]}>
            {entry.kind === "event" ? (
              <Happened event={entry.event} />
            ) : (
              <Refused target={target} attempt={entry.attempt} />
            )}
          </li>
        ))}
      </ol>
      {(happened.hasNextPage || refused.hasNextPage) && (
        <Button variant="default" size="xs" mt="sm" onClick={more} loading={happened.isFetchingNextPage}>
          {words.earlier}
        </Button>
      )}
    </Card>
  );
}

function Happened({ event: { type, time, position, actor, body } }: { event: Event }) {
  const names: Record<string, string> = words.events;
  return (
    <>
      <div className={classes["head"]}>
        <Text size="sm" fw={600}>
          {names[type] ?? type}
        </Text>
        <Text size="sm" c="var(--rc-muted)">
          <Time at={time} /> · {words.position(position)} · <By actor={actor} />
        </Text>
      </div>
      <details className={classes["details"]}>
        <summary>{words.body}</summary>
        <Payload payload={body} encoding="json" />
      </details>
    </>
  );
}

function Refused({ target, attempt }: { target: Target; attempt: Attempt }) {
  const { code, time, position, actor, message, source } = attempt;
  return (
    <>
      <div className={classes["head"]}>
        <Text size="sm" fw={600} c="var(--rc-bad)">
          {words.refused}
        </Text>
        <CodeLink code={code} />
        <Text size="sm" c="var(--rc-muted)">
          <Time at={time} /> · {words.attempt(position)} · <By actor={actor} />
          {typeof source === "string" && ` · ${words.from} `}
          {typeof source === "string" && <Untrusted text={source} mono />}
        </Text>
      </div>
      <Text size="sm" component="div">
        <Untrusted text={message} />
      </Text>
      <AttemptDetails instance={target.instance} position={position} />
    </>
  );
}

/** Who decided, or asked. */
function By({ actor }: { actor: unknown }) {
  const who = actorOf(actor);
  if ("operator" in who) {
    return (
      <>
        {words.operator} <Untrusted text={who.operator} />
      </>
    );
  }
  return "certificate" in who ? (
    <>
      {words.certificate} <Untrusted text={`${who.certificate.slice(0, 12)}…`} mono />
    </>
  ) : (
    <Untrusted text={who.other} />
  );
}
