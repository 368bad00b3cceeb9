import { Group as Row, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { Empty } from "../../kit/Empty";
import { ButtonLink, TextLink } from "../../kit/links";
import { Loaded } from "../../kit/Loaded";
import { Card } from "../../kit/Page";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import classes from "./attempts.module.css";
import { AttemptsList } from "./AttemptsList";
import { CodeLink } from "../../kit/CodeLink";
import { certificates } from "./groups";
import { ofGroup } from "./queries";
import { Replay } from "./Replay";
import type { GroupKey } from "./search";

const words = texts.attempts.group;

interface Props {
  instance: string;
  group: GroupKey;
  hours: number;
}

/** One group: why, what can be mended, its certificates and their replay, and its attempts. */
export function GroupOf({ instance, group, hours }: Props) {
  const query = useQuery(ofGroup(instance, group, hours));
  return (
    <div>
      <div className={classes["back"]}>
        <TextLink
          from="/instances/$instance/attempts"
          to="/instances/$instance/attempts"
          search={({ hours }) => (hours === undefined ? {} : { hours })}
          size="sm"
        >
          {words.back}
        </TextLink>
      </div>
      <Loaded query={query}>
        {({ attempts, isWhole }) => (
          <>
            <Card title={words.why}>
              <Text size="sm" component="div">
                <CodeLink code={group.code} /> <Untrusted text={attempts[0]?.message ?? ""} />
              </Text>
              <Mend instance={instance} group={group} />
            </Card>
            {attempts.length === 0 && <Empty text={words.none} />}
            {!isWhole && <Text size="sm">{words.notAll(attempts.length)}</Text>}
            {attempts.length > 0 && <Replay instance={instance} certificates={certificates(attempts)} />}
            {attempts.length > 0 && (
              <Card title={words.attempts(attempts.length)}>
                <AttemptsList instance={instance} attempts={attempts.slice(0, SHOWN)} />
                {attempts.length > SHOWN && <Text size="sm">{words.shown(SHOWN)}</Text>}
              </Card>
            )}
          </>
        )}
      </Loaded>
    </div>
  );
}

/** Attempts of a group that are listed one by one. */
const SHOWN = 100;

/** Where what was wrong is put right. */
function Mend({ instance, group: { ca, template, source } }: { instance: string; group: GroupKey }) {
  return (
    <>
      {source !== undefined && (
        <Text size="sm" mt={4} component="div">
          {texts.attempts.from} <Untrusted text={source} mono />
        </Text>
      )}
      <Row gap="xs" mt="sm">
        {template !== undefined && (
          <ButtonLink
            size="xs"
            variant="default"
            to="/instances/$instance/templates/$template"
            params={{ instance, template }}
          >
            {words.toTemplate}
          </ButtonLink>
        )}
        {ca !== undefined && (
          <ButtonLink
            size="xs"
            variant="default"
            to="/instances/$instance/ca-certificates/$certificate"
            params={{ instance, certificate: ca }}
          >
            {words.toCa}
          </ButtonLink>
        )}
        {ca === undefined && (
          <ButtonLink size="xs" variant="default" to="/instances/$instance/ca-certificates" params={{ instance }}>
            {words.toCas}
          </ButtonLink>
        )}
      </Row>
    </>
  );
}
