import { Alert, List, Stack, Text } from "@mantine/core";

import type { DeletionImpact } from "../api/impact";
import { texts } from "../texts";
import { CodeLink } from "./CodeLink";
import { TextLink } from "./links";
import { Untrusted } from "./Untrusted";

/** Of what names a thing; the rest is counted. */
const SHOWN_MAX = 10;

type User = DeletionImpact["users"][number];

/** What a deletion would come to: why it would be refused, how many devices it concerns, and what names the thing. */
export function Impact({ instance, impact }: { instance: string; impact: DeletionImpact }) {
  const words = texts.kit.impact;
  const { rejection, devices, online, complete, users } = impact;
  const isRefused = rejection !== null && rejection !== undefined;
  return (
    <Stack gap="xs">
      {isRefused && (
        <Alert color="orange" variant="light">
          <Text size="sm" fw={600}>
            {words.refused}
          </Text>
          <Text size="sm" component="div">
            <Untrusted text={rejection.text} />. <CodeLink code={rejection.code} />
          </Text>
        </Alert>
      )}
      <Text size="sm">
        {words.devices(devices, online)} {!complete && words.atLeast}
      </Text>
      {users.length > 0 && (
        <div>
          <Text size="sm">{words.users}</Text>
          <List size="sm">
            {users.slice(0, SHOWN_MAX).map((user) => (
              <List.Item key={`${user.kind} ${user.app_id ?? ""} ${user.id}`}>
                {words.kinds[user.kind]} <UserLink instance={instance} user={user} />
              </List.Item>
            ))}
            {users.length > SHOWN_MAX && <List.Item>{words.more(users.length - SHOWN_MAX)}</List.Item>}
          </List>
        </div>
      )}
    </Stack>
  );
}

function UserLink({ instance, user: { kind, id, name, app_id } }: { instance: string; user: User }) {
  const shown = <Untrusted text={name === "" ? id : name} />;
  switch (kind) {
    case "certificate":
      return (
        <TextLink to="/instances/$instance/ca-certificates/$certificate" params={{ instance, certificate: id }} inherit>
          {shown}
        </TextLink>
      );
    case "template":
      return (
        <TextLink to="/instances/$instance/templates/$template" params={{ instance, template: id }} inherit>
          {shown}
        </TextLink>
      );
    case "product":
      return (
        <TextLink
          to="/instances/$instance/products/$product"
          params={{ instance, product: id }}
          search={typeof app_id === "string" ? { space: app_id } : {}}
          inherit
        >
          {shown}
        </TextLink>
      );
    case "policy":
      return (
        <TextLink to="/instances/$instance/policies/$policy" params={{ instance, policy: id }} inherit>
          {shown}
        </TextLink>
      );
    case "space":
      return (
        <TextLink to="/instances/$instance/spaces/$space" params={{ instance, space: id }} inherit>
          {shown}
        </TextLink>
      );
  }
}
