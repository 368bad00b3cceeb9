import { Button, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";

import { DataTable } from "../../kit/DataTable";
import { Empty } from "../../kit/Empty";
import { ButtonLink } from "../../kit/links";
import { Loaded } from "../../kit/Loaded";
import { Card } from "../../kit/Page";
import { texts } from "../../texts";
import { AttemptsList } from "./AttemptsList";
import { columns } from "./columns";
import { groups, nameOf } from "./groups";
import { attempts } from "./queries";

const words = texts.attempts;

interface Props {
  instance: string;
  hours: number;
  certificate: string | undefined;
}

/** What was refused of late, in groups and one by one. */
export function Overview({ instance, hours, certificate }: Props) {
  const navigate = useNavigate({ from: "/instances/$instance/attempts" });
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
              <DataTable
                label={words.groups}
                columns={columns}
                rows={groups(list)}
                rowId={nameOf}
                onOpen={({ code, ca, template, source }) =>
                  void navigate({
                    search: ({ hours }) => ({
                      code,
                      ...(hours !== undefined && { hours }),
                      ...(ca !== undefined && { ca }),
                      ...(template !== undefined && { template }),
                      ...(source !== undefined && { source }),
                    }),
                  })
                }
              />
              {query.hasNextPage && (
                <Text size="sm" c="var(--rc-muted)" mt="xs">
                  {words.ofLoaded(list.length)}
                </Text>
              )}
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
