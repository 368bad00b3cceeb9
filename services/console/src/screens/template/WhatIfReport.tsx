import { Alert, Stack, Table, Text, Title } from "@mantine/core";

import type { Schemas } from "../../api/client";
import { CodeLink } from "../../kit/CodeLink";
import { TextLink } from "../../kit/links";
import { usePlace } from "../../api/place";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { type Group, groupsOf, losing } from "./outcomes";
import type { WhatIf } from "./queries";
import classes from "./TemplateScreen.module.css";

const t = texts.template.whatIf;
const number = new Intl.NumberFormat(texts.locale);

/** What a change would do to the devices that are registered, in one sentence and by outcome. */
export function WhatIfReport({ answer }: { answer: WhatIf }) {
  if (!answer.valid) {
    return (
      <Alert color="red" variant="light" role="alert" title={t.faults}>
        <ul className={classes["list"]}>
          {answer.faults.map(({ field, rule }) => (
            <li key={`${field} ${rule}`}>
              <Untrusted text={field} mono /> <Untrusted text={rule} />
            </li>
          ))}
        </ul>
      </Alert>
    );
  }
  const { counts, rejection, limited_by } = answer;
  const groups = groupsOf(answer);
  return (
    <section aria-label={t.title}>
      <Stack gap="sm">
        {rejection !== undefined && rejection !== null && (
          <Alert color="red" variant="light" role="alert" title={<CodeLink code={rejection.code} />}>
            <Untrusted text={rejection.message} />
          </Alert>
        )}
        <div>
          <Title order={3} size="h6">
            {t.title}
          </Title>
          <Text size="lg" fw={600} role="status">
            {counts.examined === 0 ? t.none : sentence(counts)}
          </Text>
          {counts.examined > 0 && (
            <Text size="sm" c="var(--rc-muted)">
              {t.examined(counts.examined)}. {t.standard}
            </Text>
          )}
        </div>
        {limited_by !== undefined && limited_by !== null && (
          <Alert color="yellow" variant="light">
            {t.limited[limited_by]}
          </Alert>
        )}
        {groups.length > 0 && (
          <div className={classes["scroll"]}>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t.outcome}</Table.Th>
                  <Table.Th ta="right">{t.count}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {groups.map((group) => (
                  <Outcome key={group.outcome} group={group} />
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </Stack>
    </section>
  );
}

/** "3,102 unchanged, 4 lose access". */
function sentence(counts: Schemas["Counts"]): string {
  const lost = losing(counts);
  const kept = counts.unchanged + counts.not_by_template;
  const parts = [
    ...(kept > 0 ? [t.unchanged(kept)] : []),
    ...(lost > 0 ? [t.lose(lost)] : []),
    ...(counts.other_device > 0 ? [t.other(counts.other_device)] : []),
    ...(counts.unreadable > 0 ? [t.unreadable(counts.unreadable)] : []),
  ];
  return parts.join(", ");
}

function Outcome({ group: { outcome, count, tone, examples } }: { group: Group }) {
  const { instance } = usePlace();
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={400}>
        {t.groups[outcome]}
        {examples.length > 0 && (
          <details>
            <summary>{t.examples(examples.length, count)}</summary>
            <ul className={classes["list"]}>
              {examples.map(({ device_id, fingerprint, would_be, reason }) => (
                <li key={fingerprint}>
                  <TextLink to="/instances/$instance/devices/$device" params={{ instance, device: device_id }}>
                    <Untrusted text={device_id} mono />
                  </TextLink>
                  {would_be !== undefined && would_be !== null && would_be !== device_id && (
                    <>
                      {" → "}
                      <Untrusted text={would_be} mono />
                    </>
                  )}
                  {": "}
                  <Untrusted text={reason} />
                </li>
              ))}
            </ul>
          </details>
        )}
      </Table.Th>
      <Table.Td ta="right" valign="top">
        <Text span fw={700} c={`var(--rc-${tone})`}>
          {number.format(count)}
        </Text>
      </Table.Td>
    </Table.Tr>
  );
}
