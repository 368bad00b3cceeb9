import { Stack, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { Empty } from "../../kit/Empty";
import { Loaded } from "../../kit/Loaded";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";
import { InstanceCard } from "./InstanceCard";
import classes from "./InstancesScreen.module.css";
import { type Instance, instances } from "./queries";

/** By region, each in the order of the list. */
export function byRegion(list: Instance[]): [string, Instance[]][] {
  return [...Map.groupBy(list, (instance) => instance.region)].sort(([a], [b]) => a.localeCompare(b));
}

export function InstancesScreen() {
  const query = useQuery(instances);
  return (
    <Page title={texts.instances.title}>
      <Loaded query={query}>
        {({ instances }) =>
          instances.length === 0 ? (
            <Empty text={texts.instances.none} />
          ) : (
            <Stack>
              {byRegion(instances).map(([region, list]) => (
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
          )
        }
      </Loaded>
    </Page>
  );
}
