import { Button, Table, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { usePlace } from "../../api/place";
import { mayChange, seesWholeInstance, useOperator } from "../../api/session";
import { CodeLink } from "../../kit/CodeLink";
import { ConfirmDialog } from "../../kit/ConfirmDialog";
import { TextLink } from "../../kit/links";
import { Loaded } from "../../kit/Loaded";
import { Card } from "../../kit/Page";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import classes from "./DebugScreen.module.css";
import { type Attempt, attemptsOf, type DebugAnswer, replay } from "./queries";

const t = texts.debug;

interface MatchingAttemptsProps {
  fingerprint: string;
  /** What a connection would be answered with now. */
  now: DebugAnswer["connection"]["outcome"];
}

/** The refusals of a certificate that are kept, and the way back in once what stood in it is mended. */
export function MatchingAttempts({ fingerprint, now }: MatchingAttemptsProps) {
  const operator = useOperator();
  // Attempts have no resource space, so that only operators of the whole instance see them.
  if (!seesWholeInstance(operator)) {
    return null;
  }
  return (
    <Card title={t.attempts}>
      <Attempts fingerprint={fingerprint} now={now} />
    </Card>
  );
}

function Attempts({ fingerprint, now }: MatchingAttemptsProps) {
  const { instance } = usePlace();
  const operator = useOperator();
  const queries = useQueryClient();
  const query = useQuery(attemptsOf(instance, fingerprint));
  const [asked, setAsked] = useState<Attempt>();
  const confirm = async () => {
    if (asked !== undefined) {
      const { position } = await replay(instance, asked.position);
      notifications.show({ message: t.replayed(position) });
      await queries.invalidateQueries({ queryKey: ["debug", instance] });
      await queries.invalidateQueries({ queryKey: ["attempts", instance] });
    }
  };
  return (
    <Loaded query={query}>
      {({ attempts }) =>
        attempts.length === 0 ? (
          <Text size="sm">{t.noAttempts}</Text>
        ) : (
          <>
            {now !== "register" && (
              <Text size="sm" mb="xs">
                {now === "refuse" ? t.mendFirst : t.letInAlready}
              </Text>
            )}
            <div className={classes["scroll"]} tabIndex={0} role="region" aria-label={t.attempts}>
              <Table>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t.position}</Table.Th>
                    <Table.Th>{t.when}</Table.Th>
                    <Table.Th>{t.code}</Table.Th>
                    <Table.Th>{t.source}</Table.Th>
                    {mayChange(operator) && <Table.Th aria-label={t.replay} />}
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {attempts.map((attempt) => (
                    <Table.Tr key={attempt.position}>
                      <Table.Th scope="row" fw={400}>
                        <TextLink
                          to="/instances/$instance/debug"
                          params={{ instance }}
                          search={{ attempt: attempt.position }}
                        >
                          {attempt.position}
                        </TextLink>
                      </Table.Th>
                      <Table.Td>
                        <Time at={attempt.time} />
                      </Table.Td>
                      <Table.Td>
                        <CodeLink code={attempt.code} />
                      </Table.Td>
                      <Table.Td>
                        <Untrusted text={attempt.source ?? t.unknown} mono />
                      </Table.Td>
                      {mayChange(operator) && (
                        <Table.Td ta="right">
                          <Button
                            variant="default"
                            size="compact-sm"
                            disabled={now !== "register"}
                            aria-label={t.replayAt(attempt.position)}
                            onClick={() => setAsked(attempt)}
                          >
                            {t.replay}
                          </Button>
                        </Table.Td>
                      )}
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </div>
            <ConfirmDialog
              opened={asked !== undefined}
              onClose={() => setAsked(undefined)}
              title={t.replayTitle}
              consequence={<Text>{t.replayConsequence}</Text>}
              action={t.replay}
              onConfirm={confirm}
            />
          </>
        )
      }
    </Loaded>
  );
}
