import { Button, Text } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";

import { DataTable } from "../../kit/DataTable";
import { Empty } from "../../kit/Empty";
import { ButtonLink } from "../../kit/links";
import { Loaded } from "../../kit/Loaded";
import { Card } from "../../kit/Page";
import { texts } from "../../texts";
import { AttemptsList } from "./AttemptsList";
import { columns } from "./columns";
import { nameOf } from "./groups";
import { attemptGroups, attempts } from "./queries";
import { searchOf } from "./search";

const words = texts.attempts;

interface Props {
  instance: string;
  hours: number;
  certificate: string | undefined;
}

/** What was refused of late, in groups and one by one. */
export function Overview({ instance, hours, certificate }: Props) {
  const query = useInfiniteQuery(attempts(instance, { hours, certificate }));
  const list = query.data?.pages.flatMap(({ attempts }) => attempts) ?? [];
  return (
    <Loaded query={query}>
      {() =>
        list.length === 0 ? (
          <Empty text={certificate === undefined ? words.none : words.noneFit}>
            {certificate === undefined && (
              <ButtonLink to="/instances/$instance/devices" params={{ instance }} variant="default">
                {words.toDevices}
              </ButtonLink>
            )}
          </Empty>
        ) : (
          <>
            <Card title={words.groups}>
              <Groups instance={instance} hours={hours} certificate={certificate} />
            </Card>
            <Card title={words.list}>
              <AttemptsList instance={instance} attempts={list} />
              {query.hasNextPage && (
                <Button
                  variant="default"
                  size="xs"
                  mt="sm"
                  loading={query.isFetchingNextPage}
                  onClick={() => void query.fetchNextPage()}
                >
                  {words.earlier}
                </Button>
              )}
            </Card>
          </>
        )
      }
    </Loaded>
  );
}

function Groups({ instance, hours, certificate }: Props) {
  const navigate = useNavigate({ from: "/instances/$instance/attempts" });
  const query = useQuery(attemptGroups(instance, { hours, certificate }));
  return (
    <Loaded query={query}>
      {({ groups, leftOut }) => (
        <>
          <DataTable
            label={words.groups}
            columns={columns}
            rows={groups}
            rowId={nameOf}
            onOpen={(group) => void navigate({ search: ({ hours }) => searchOf(group, hours) })}
          />
          {leftOut > 0 && (
            <Text size="sm" c="var(--rc-muted)" mt="xs">
              {words.leftOut(leftOut)}
            </Text>
          )}
        </>
      )}
    </Loaded>
  );
}
