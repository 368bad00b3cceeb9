import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { policies, type Policy, spaces } from "../../api/lists";
import { usePlace } from "../../api/place";
import { mayChange, useOperator } from "../../api/session";
import type { Column } from "../../kit/DataTable";
import { CopyAs } from "../../kit/CopyAs";
import { Empty } from "../../kit/Empty";
import { ButtonLink, TextLink } from "../../kit/links";
import { Loaded } from "../../kit/Loaded";
import { Page } from "../../kit/Page";
import { SearchedTable } from "../../kit/SearchedTable";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { DEFAULT_POLICY } from "../policy/statements";

const words = texts.policies;

function columns(instance: string, spaceNames: Map<string, string>): Column<Policy>[] {
  return [
    {
      id: "name",
      header: words.columns.name,
      cell: ({ policy_id, policy_name }) => (
        <>
          <TextLink to="/instances/$instance/policies/$policy" params={{ instance, policy: policy_id }}>
            <Untrusted text={policy_name} />
          </TextLink>
          {policy_name === DEFAULT_POLICY && (
            <Text size="xs" c="var(--rc-muted)">
              {words.isDefault}
            </Text>
          )}
        </>
      ),
    },
    { id: "id", header: words.columns.id, cell: ({ policy_id }) => <Untrusted text={policy_id} mono /> },
    {
      id: "space",
      header: words.columns.space,
      cell: ({ app_id }) => <Untrusted text={spaceNames.get(app_id) ?? app_id} />,
    },
    { id: "changed", header: words.columns.changed, cell: ({ update_time }) => <Time at={update_time} /> },
  ];
}

export function PoliciesScreen() {
  const place = usePlace();
  const { instance } = place;
  const { q = "" } = useSearch({ from: "/signed-in/instances/$instance/policies" });
  const navigate = useNavigate({ from: "/instances/$instance/policies" });
  const query = useQuery(policies(place));
  const spaceNames = new Map((useQuery(spaces(place)).data ?? []).map(({ app_id, app_name }) => [app_id, app_name]));
  const create = mayChange(useOperator()) && (
    <ButtonLink to="/instances/$instance/policies/$policy" params={{ instance, policy: "new" }}>
      {words.create}
    </ButtonLink>
  );
  return (
    <Page
      title={words.title}
      actions={
        <>
          <CopyAs
            of={{ request: { method: "GET", path: `/v5/iot/${place.project}/device-policies?limit=50`, instance } }}
          />
          {create}
        </>
      }
    >
      <Loaded query={query}>
        {(all) => (
          <SearchedTable
            words={words}
            rows={all}
            none={<Empty text={words.none} />}
            textsOf={({ policy_name, policy_id, app_id }) => [policy_name, policy_id, app_id]}
            q={q}
            onSearch={(sought) => void navigate({ search: { q: sought }, replace: true })}
            columns={columns(instance, spaceNames)}
            rowId={({ policy_id }) => policy_id}
            onOpen={({ policy_id }) =>
              void navigate({ to: "/instances/$instance/policies/$policy", params: { instance, policy: policy_id } })
            }
          />
        )}
      </Loaded>
    </Page>
  );
}
