import { Text } from "@mantine/core";

import { CodeLink } from "../../kit/CodeLink";
import { Card } from "../../kit/Page";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import type { Attempt } from "./queries";

/** Why a certificate was refused then, beside which it is said what would happen now. */
export function AttemptLoaded({ attempt, hasChain }: { attempt: Attempt; hasChain: boolean }) {
  const { position, time, code, message, source } = attempt;
  return (
    <Card title={texts.debug.attempt(position)}>
      <Text size="sm" component="div">
        {texts.debug.refusedThen} <Time at={time} /> <CodeLink code={code} />
        {source !== undefined && source !== null && ` ${texts.debug.from(source)}`}
      </Text>
      <Text size="sm" mt={4} component="div">
        <Untrusted text={message} />
      </Text>
      {!hasChain && (
        <Text size="sm" mt={4}>
          {texts.debug.noChain}
        </Text>
      )}
    </Card>
  );
}
