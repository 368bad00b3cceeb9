import { List, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { Place } from "../../api/place";
import { TextLink } from "../../kit/links";
import { Loaded } from "../../kit/Loaded";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { impact } from "../ca-certificates/queries";

/** How many devices the CA has brought, and where else it is trusted. */
export function Trusted({ place, certificate }: { place: Place; certificate: string }) {
  const words = texts.caCertificate.trusted;
  return (
    <Loaded query={useQuery(impact(place, certificate))}>
      {({
        devices,
        online,
        complete,
        instances,
        certificates_ending_30_days: ending,
        instances_not_ready: unasked,
      }) => (
        <Stack gap="xs">
          <Text size="sm">
            {words.here(devices, online)} {!complete && words.atLeast}
          </Text>
          {ending > 0 && <Text size="sm">{words.ending(ending)}</Text>}
          {unasked.length > 0 && <Text size="sm">{words.notReady(unasked.join(", "))}</Text>}
          {instances.length === 0 ? (
            <Text size="sm">{words.alone}</Text>
          ) : (
            <>
              <Text size="sm">{words.others}</Text>
              <List size="sm">
                {instances.map(({ instance_id, app_id, certificate_id, verified }) => (
                  <List.Item key={instance_id + certificate_id}>
                    <TextLink
                      to="/instances/$instance/ca-certificates/$certificate"
                      params={{ instance: instance_id, certificate: certificate_id }}
                    >
                      {instance_id} · <Untrusted text={app_id} />
                    </TextLink>
                    {!verified && ` (${words.unproven})`}
                  </List.Item>
                ))}
              </List>
            </>
          )}
        </Stack>
      )}
    </Loaded>
  );
}
