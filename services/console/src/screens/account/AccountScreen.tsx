import { Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { type Operator, useOperator } from "../../api/session";
import { Facts } from "../../kit/Facts";
import { Loaded } from "../../kit/Loaded";
import { Card, Page } from "../../kit/Page";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { ChangePassword } from "./ChangePassword";
import { type Session, session } from "./queries";

const words = texts.account;

/** Who is signed in, for how long, and their password. */
export function AccountScreen() {
  const operator = useOperator();
  const query = useQuery(session);
  return (
    <Page title={words.title}>
      <Card title={words.who}>
        <Who operator={operator} />
      </Card>
      <Card title={words.session}>
        <Loaded query={query}>{(shown) => <Ends session={shown} />}</Loaded>
      </Card>
      {operator.has_password && (
        <Card title={words.password}>
          <ChangePassword operator={operator.name} />
        </Card>
      )}
    </Page>
  );
}

function Who({ operator }: { operator: Operator }) {
  return (
    <Stack gap="sm">
      <Facts
        facts={[
          [words.operator, <Untrusted key="operator" text={operator.name} />],
          [words.role, texts.shell.role[operator.role]],
          [words.instances, <Scope key="instances" ids={operator.scope.instances} />],
          [words.spaces, <Scope key="spaces" ids={operator.scope.spaces} />],
          [words.project, <Untrusted key="project" text={operator.project_id} mono />],
        ]}
      />
      <Text size="sm">{words.may[operator.role]}</Text>
    </Stack>
  );
}

function Scope({ ids }: { ids: string[] | null | undefined }) {
  return ids == null ? words.everywhere : <Untrusted text={ids.join(", ")} />;
}

function Ends({ session }: { session: Session | null }) {
  if (session === null) {
    return <Text size="sm">{words.noSession}</Text>;
  }
  return (
    <Facts
      facts={[
        [words.since, <Time key="since" at={session.created_at} />],
        [words.ends, <Time key="ends" at={session.expires_at} />],
        [words.idle, lasting(session.idle_seconds)],
      ]}
    />
  );
}

function lasting(seconds: number): string {
  return seconds < 60 ? words.seconds(seconds) : words.minutes(Math.round(seconds / 60));
}
