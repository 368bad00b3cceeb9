import { Group, Progress, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { caCertificates, type Template, templates } from "../../api/lists";
import { usePlace } from "../../api/place";
import { mayChange, seesWholeInstance, useOperator } from "../../api/session";
import { CopyAs } from "../../kit/CopyAs";
import { Empty } from "../../kit/Empty";
import { ButtonLink, TextLink } from "../../kit/links";
import { Loaded } from "../../kit/Loaded";
import { Card, Page } from "../../kit/Page";
import { SearchField } from "../../kit/SearchField";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { type Row, rowsOf, TEMPLATES_MAX } from "./bound";
import classes from "./TemplatesScreen.module.css";

const t = texts.templates;

/** The templates of an instance, how many more it may have, and which CA certificates use each. */
export function TemplatesScreen() {
  const place = usePlace();
  const operator = useOperator();
  const query = useQuery(templates(place));
  const isLimited = !seesWholeInstance(operator);
  const isFull = !isLimited && (query.data?.length ?? 0) >= TEMPLATES_MAX;
  // The step is in the middle of an empty list, once.
  const isEmpty = (query.data?.length ?? 0) === 0;
  const mayMake = mayChange(operator) && !isLimited;
  const path = `/v5/iot/${place.project}/provisioning-templates?limit=50`;
  return (
    <Page
      title={t.title}
      actions={
        <>
          <CopyAs of={{ request: { method: "GET", path, instance: place.instance } }} />
          {mayMake && !isFull && !isEmpty && <NewTemplate />}
        </>
      }
    >
      <Loaded query={query}>
        {(list) =>
          list.length === 0 ? (
            <Empty text={isLimited ? t.noneToSee : t.none}>{mayMake && <NewTemplate />}</Empty>
          ) : (
            <Stack gap="md">
              {isLimited ? (
                <Text size="sm" c="var(--rc-muted)">
                  {t.seen(list.length)} {mayChange(operator) && texts.kit.mayNot.limited}
                </Text>
              ) : (
                <Used count={list.length} />
              )}
              <Found list={list} />
            </Stack>
          )
        }
      </Loaded>
    </Page>
  );
}

function NewTemplate() {
  const { instance } = usePlace();
  return (
    <ButtonLink to="/instances/$instance/templates/$template" params={{ instance, template: "new" }}>
      {t.new}
    </ButtonLink>
  );
}

function Used({ count }: { count: number }) {
  const isFull = count >= TEMPLATES_MAX;
  return (
    <Group gap="sm">
      <Progress
        value={(100 * count) / TEMPLATES_MAX}
        w="10rem"
        aria-label={t.used(count, TEMPLATES_MAX)}
        {...(isFull && { color: "red" })}
      />
      <Text size="sm">
        {t.used(count, TEMPLATES_MAX)}
        {isFull && `. ${t.full}`}
      </Text>
    </Group>
  );
}

function Found({ list }: { list: Template[] }) {
  const { q = "" } = useSearch({ from: "/signed-in/instances/$instance/templates" });
  const navigate = useNavigate();
  const { data: certificates } = useQuery(caCertificates(usePlace()));
  const rows = rowsOf(list, certificates ?? [], q);
  return (
    <>
      <SearchField
        value={q}
        onChange={(q) => void navigate({ to: ".", search: q === "" ? {} : { q }, replace: true })}
      />
      {rows.length === 0 ? (
        <Empty text={t.noneFound(q)} />
      ) : (
        <Card>
          <div className={classes["scroll"]} tabIndex={0} role="region" aria-label={t.title}>
            <Table highlightOnHover>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t.name}</Table.Th>
                  <Table.Th>{t.description}</Table.Th>
                  <Table.Th>{t.boundTo}</Table.Th>
                  <Table.Th>{t.changed}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((row) => (
                  <TemplateRow key={row.template.template_id} row={row} />
                ))}
              </Table.Tbody>
            </Table>
          </div>
        </Card>
      )}
    </>
  );
}

function TemplateRow({ row: { template, bound } }: { row: Row }) {
  const { instance } = usePlace();
  return (
    <Table.Tr>
      <Table.Th scope="row">
        <TextLink
          size="sm"
          to="/instances/$instance/templates/$template"
          params={{ instance, template: template.template_id }}
        >
          <Untrusted text={template.template_name} />
        </TextLink>
      </Table.Th>
      <Table.Td>
        <Untrusted text={template.description} />
      </Table.Td>
      <Table.Td>
        {bound.length === 0 && (
          <Text span size="sm" c="var(--rc-muted)">
            {t.boundToNone}
          </Text>
        )}
        {bound.map(({ certificate_id, cn_name, provision_enable }) => (
          <div key={certificate_id}>
            <TextLink
              size="sm"
              to="/instances/$instance/ca-certificates/$certificate"
              params={{ instance, certificate: certificate_id }}
            >
              <Untrusted text={cn_name} />
            </TextLink>
            {!provision_enable && ` (${t.selfRegistrationOff})`}
          </div>
        ))}
      </Table.Td>
      <Table.Td>
        <Time at={template.update_time} />
      </Table.Td>
    </Table.Tr>
  );
}
