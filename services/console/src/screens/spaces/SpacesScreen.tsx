import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { type Space, spaces } from "../../api/lists";
import { usePlace } from "../../api/place";
import { mayChange, seesWholeInstance, useOperator } from "../../api/session";
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

const words = texts.spaces;

function columns(instance: string): Column<Space>[] {
  return [
    {
      id: "name",
      header: words.columns.name,
      cell: ({ app_id, app_name }) => (
        <TextLink to="/instances/$instance/spaces/$space" params={{ instance, space: app_id }}>
          <Untrusted text={app_name} />
        </TextLink>
      ),
    },
    { id: "id", header: words.columns.id, cell: ({ app_id }) => <Untrusted text={app_id} mono /> },
    { id: "default", header: words.columns.isDefault, cell: ({ default_app }) => default_app && words.isDefault },
    { id: "made", header: words.columns.made, cell: ({ create_time }) => <Time at={create_time} /> },
  ];
}

export function SpacesScreen() {
  const place = usePlace();
  const { instance } = place;
  const { q = "" } = useSearch({ from: "/signed-in/instances/$instance/spaces" });
  const navigate = useNavigate({ from: "/instances/$instance/spaces" });
  const query = useQuery(spaces(place));
  const operator = useOperator();
  const create = mayChange(operator) && seesWholeInstance(operator) && (
    <ButtonLink to="/instances/$instance/spaces/$space" params={{ instance, space: "new" }}>
      {words.create}
    </ButtonLink>
  );
  return (
    <Page
      title={words.title}
      actions={
        <>
          <CopyAs of={{ request: { method: "GET", path: `/v5/iot/${place.project}/apps`, instance } }} />
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
            textsOf={({ app_id, app_name }) => [app_id, app_name]}
            q={q}
            onSearch={(sought) => void navigate({ search: { q: sought }, replace: true })}
            columns={columns(instance)}
            rowId={({ app_id }) => app_id}
            onOpen={({ app_id }) =>
              void navigate({ to: "/instances/$instance/spaces/$space", params: { instance, space: app_id } })
            }
          />
        )}
      </Loaded>
    </Page>
  );
}
