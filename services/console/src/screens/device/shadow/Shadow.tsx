import { Button, Group, Stack, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { client } from "../../../api/client";
import { mayChange, useOperator } from "../../../api/session";
import { ConfirmDialog } from "../../../kit/ConfirmDialog";
import { Empty } from "../../../kit/Empty";
import { Loaded } from "../../../kit/Loaded";
import { texts } from "../../../texts";
import { keyOf, onDevice, shadow, type Target } from "../queries";
import { Desired } from "./Desired";
import { Service } from "./Service";

const words = texts.device.shadow;

/** What the device says that it is beside what it should be, by service; the latter can be changed. */
export function Shadow({ target }: { target: Target }) {
  const query = useQuery(shadow(target));
  const queries = useQueryClient();
  const [service, setService] = useState<string>();
  const [clearing, setClearing] = useState(false);
  const may = mayChange(useOperator());
  const clear = async () => {
    await client.DELETE("/v5/iot/{project_id}/devices/{device_id}/shadow", onDevice(target));
    await queries.invalidateQueries({ queryKey: keyOf(target) });
  };
  return (
    <Loaded query={query}>
      {({ shadow: services }) => (
        <Stack gap="md">
          {services.length === 0 && <Empty text={words.none} />}
          {services.map((one) => (
            <Service key={one.service_id} service={one} onEdit={may ? () => setService(one.service_id) : undefined} />
          ))}
          {may && (
            <Group>
              <Button variant="default" size="xs" onClick={() => setService("")}>
                {words.desireNew}
              </Button>
              {services.some(({ desired }) => Object.keys(desired.properties).length > 0) && (
                <Button variant="default" size="xs" onClick={() => setClearing(true)}>
                  {words.clear}
                </Button>
              )}
            </Group>
          )}
          {service !== undefined && (
            <Desired
              target={target}
              service={services.find(({ service_id }) => service_id === service)}
              onClose={() => setService(undefined)}
            />
          )}
          <ConfirmDialog
            opened={clearing}
            onClose={() => setClearing(false)}
            title={words.clearQuestion}
            consequence={<Text size="sm">{words.clearConsequence}</Text>}
            action={words.clear}
            isDestructive
            onConfirm={clear}
          />
        </Stack>
      )}
    </Loaded>
  );
}
