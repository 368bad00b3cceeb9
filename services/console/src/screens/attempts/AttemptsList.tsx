import { Text } from "@mantine/core";

import { TextLink } from "../../kit/links";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { AttemptDetails } from "./AttemptDetails";
import classes from "./attempts.module.css";
import { CodeLink } from "../../kit/CodeLink";
import type { Attempt } from "./groups";

const words = texts.attempts;

/** Attempts one by one, newest first. */
export function AttemptsList({ instance, attempts }: { instance: string; attempts: Attempt[] }) {
  return (
    <ol className={classes["entries"]}>
      {attempts.map((attempt) => (
        <li key={attempt.position} className={classes["entry"]}>
          <One instance={instance} attempt={attempt} />
        </li>
      ))}
    </ol>
  );
}

function One({ instance, attempt }: { instance: string; attempt: Attempt }) {
  const { code, time, position, message, certificate, source, actor, key_proven } = attempt;
  const device = attempt.certificate_device_id ?? attempt.device_id;
  return (
    <>
      <div className={classes["head"]}>
        <CodeLink code={code} />
        <Text size="sm" fw={600} component="span">
          <Untrusted text={certificate?.subject ?? actor} />
        </Text>
        {typeof device === "string" && (
          <TextLink to="/instances/$instance/devices/$device" params={{ instance, device }} size="sm">
            <Untrusted text={device} />
          </TextLink>
        )}
        <Text size="sm" c="var(--rc-muted)" component="span">
          <Time at={time} /> · {words.attempt(position)}
          {typeof source === "string" && (
            <>
              {" · "}
              {words.from} <Untrusted text={source} mono />
            </>
          )}
          {key_proven === false && ` · ${words.keyUnproven}`}
        </Text>
      </div>
      <Text size="sm" component="div">
        <Untrusted text={message} />
      </Text>
      <AttemptDetails instance={instance} position={position} />
    </>
  );
}
