import { Group, Select, Stack, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { mayChange, useOperator } from "../../api/session";
import { CopyAs } from "../../kit/CopyAs";
import { Empty } from "../../kit/Empty";
import { Loaded } from "../../kit/Loaded";
import { Page } from "../../kit/Page";
import { SearchField } from "../../kit/SearchField";
import { texts } from "../../texts";
import { InstanceCard } from "./InstanceCard";
import classes from "./InstancesScreen.module.css";
import { byRegion } from "./list";
import { instances } from "./queries";
import { type InstancesSearch, SORTS } from "./search";

const LIST = { request: { method: "GET", path: "/rollcall/v1/instances" } } as const;

export function InstancesScreen() {
  const query = useQuery(instances);
  const search = useSearch({ from: "/signed-in/" });
  return (
    <Page title={texts.instances.title} actions={<CopyAs of={LIST} />}>
      <Loaded query={query}>
        {({ instances: all }) => {
          if (all.length === 0) {
            return <None />;
          }
          const regions = byRegion(all, search);
          return (
            <Stack>
              {all.length > 1 && <Controls search={search} />}
              {regions.length === 0 && <Empty text={texts.instances.noneFound} />}
              {regions.map(([region, list]) => (
                <section key={region} aria-label={region}>
                  <Title order={2} size="h5" mb="xs">
                    {region}
                  </Title>
                  <div className={classes["cards"]}>
                    {list.map((instance) => (
                      <InstanceCard key={instance.id} instance={instance} />
                    ))}
                  </div>
                </section>
              ))}
            </Stack>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Controls({ search }: { search: InstancesSearch }) {
  const navigate = useNavigate({ from: "/" });
  const change = (next: InstancesSearch) => void navigate({ search: next, replace: true });
  const { q, sort = "name" } = search;
  return (
    <Group gap="sm" wrap="wrap">
      <SearchField
        value={q ?? ""}
        onChange={(text) => change({ ...(text !== "" && { q: text }), ...(sort !== "name" && { sort }) })}
        label={texts.instances.search}
      />
      <Select
        aria-label={texts.instances.sort.title}
        data={SORTS.map((value) => ({ value, label: texts.instances.sort[value] }))}
        value={sort}
        allowDeselect={false}
        onChange={(value) => {
          const chosen = SORTS.find((name) => name === value);
          change({ ...(q !== undefined && { q }), ...(chosen !== undefined && chosen !== "name" && { sort: chosen }) });
        }}
      />
    </Group>
  );
}

/** The next step is a request or the fleet file: an instance is nothing that the console makes. */
function None() {
  const operator = useOperator();
  const instance = { id: "north", access_domain: "north.example.com", edition: "standard", region: "local" };
  return (
    <Empty text={mayChange(operator) ? texts.instances.none : texts.instances.noneForYou}>
      {operator.role === "admin" && (
        <CopyAs
          label={texts.instances.copyFirst}
          of={{
            request: { method: "POST", path: "/rollcall/v1/instances", body: instance },
            fleet: { instances: [instance] },
          }}
        />
      )}
    </Empty>
  );
}
