import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { body, client, type Schemas } from "../../../api/client";
import { Failure } from "../../../kit/Failure";
import { parseJson } from "../../../kit/json";
import { JsonEditor } from "../../../kit/JsonEditor";
import { texts } from "../../../texts";
import { keyOf, onDevice, type Target } from "../queries";
import { desiredChange, type Values } from "./difference";

interface Props {
  target: Target;
  /** Absent for one that has no shadow yet. */
  service: Schemas["ShadowOfService"] | undefined;
  onClose: () => void;
}

const words = texts.device.shadow;
const isObject = (value: unknown): value is Values =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Edits what is desired of a service. Who was faster meanwhile is not overwritten: the API refuses another version. */
export function Desired({ target, service, onClose }: Props) {
  // As it was when the dialog was opened, whatever is fetched meanwhile.
  const [before] = useState(service);
  const [id, setId] = useState(service?.service_id ?? "");
  const [text, setText] = useState(() => JSON.stringify(service?.desired.properties ?? {}, null, 2));
  const queries = useQueryClient();
  const { value } = parseJson(text);
  const change = isObject(value) ? desiredChange(before?.desired.properties ?? {}, value) : undefined;
  const put = useMutation({
    mutationFn: (desired: Values) => {
      const version = before === undefined ? {} : { version: before.version };
      // The generated type of a JSON object has no members.
      const shadow = [{ service_id: id, desired: desired as Record<string, never>, ...version }];
      return body(
        client.PUT("/v5/iot/{project_id}/devices/{device_id}/shadow", { ...onDevice(target), body: { shadow } }),
      );
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: keyOf(target) });
      onClose();
    },
  });
  return (
    <Modal
      opened
      onClose={onClose}
      title={before === undefined ? words.desireNew : words.editOf(before.service_id)}
      closeButtonProps={{ "aria-label": texts.kit.close }}
      size="lg"
    >
      <Stack gap="sm">
        <Text size="sm">{words.consequence}</Text>
        {before === undefined && (
          <TextInput
            label={words.service}
            value={id}
            onChange={({ currentTarget: { value } }) => setId(value)}
            data-autofocus
          />
        )}
        <JsonEditor
          label={words.desiredJson}
          value={text}
          onChange={setText}
          problem={value === undefined || isObject(value) ? undefined : words.noObject}
          minRows={6}
        />
        {put.error !== null && <Failure error={put.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            {texts.device.actions.cancel}
          </Button>
          <Button
            disabled={change === undefined || id === ""}
            loading={put.isPending}
            onClick={() => change !== undefined && put.mutate(change)}
          >
            {words.save}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
