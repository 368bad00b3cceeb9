import { Alert, Group, Loader, NumberInput, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { CommandLines } from "../../../kit/CommandLines";
import { TextLink } from "../../../kit/links";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import { instances } from "../../instances/queries";
import { policy as policyQuery } from "../../policy/queries";
import type { StepProps } from "../Checklist";
import { mosquittoLine, rollcallLine, topicOf } from "../device";
import { Waits } from "./Waits";

const MQTTS_PORT = 8883;

export function DeviceStep({ place, progress: { firstDevice, policy, product, done } }: StepProps) {
  const words = texts.setUp.deviceStep;
  const [port, setPort] = useState(MQTTS_PORT);
  const [ca, setCa] = useState("rollcall-data/ca/platform-ca.crt");
  const [files, setFiles] = useState("device-0001");
  const { data } = useQuery(instances);
  const { policy_id: id = "" } = policy ?? {};
  const { data: whole } = useQuery({ ...policyQuery(place, id), enabled: id !== "" });
  const host = data?.instances.find(({ id }) => id === place.instance)?.access_domain ?? place.instance;
  if (!done.binding && firstDevice === undefined) {
    return <Waits step="binding" />;
  }
  const connection = {
    host,
    port,
    ca,
    files,
    topic: topicOf(whole?.statement ?? [], product?.product_id, files),
  };
  return (
    <Stack gap="sm">
      <Text size="sm">{words.explain}</Text>
      <Group align="flex-end" gap="sm">
        <NumberInput
          label={words.port}
          value={port}
          min={1}
          max={65535}
          onChange={(value) => setPort(Number(value))}
          w="7rem"
        />
        <TextInput label={words.ca} value={ca} onChange={(event) => setCa(event.currentTarget.value)} />
        <TextInput label={words.certificate} value={files} onChange={(event) => setFiles(event.currentTarget.value)} />
      </Group>
      <CommandLines label={words.mosquitto} lines={mosquittoLine(connection)} />
      <CommandLines label={words.rollcall} lines={rollcallLine(connection)} />
      <div role="status">
        {firstDevice === undefined ? (
          <Group gap="sm">
            <Loader size="sm" aria-hidden />
            <Text size="sm">{words.waiting}</Text>
          </Group>
        ) : (
          <Alert color="green" variant="light">
            <Group gap="sm">
              <Untrusted text={words.is(firstDevice)} />
              <TextLink
                to="/instances/$instance/devices/$device"
                params={{ instance: place.instance, device: firstDevice }}
                search={{}}
              >
                {words.show}
              </TextLink>
            </Group>
          </Alert>
        )}
      </div>
    </Stack>
  );
}
