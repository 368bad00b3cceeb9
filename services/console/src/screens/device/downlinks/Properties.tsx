import { Button, Group, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

import { body, client } from "../../../api/client";
import { mayChange, useOperator } from "../../../api/session";
import { Failure } from "../../../kit/Failure";
import { parseJson } from "../../../kit/json";
import { JsonEditor } from "../../../kit/JsonEditor";
import { Card } from "../../../kit/Page";
import { texts } from "../../../texts";
import { type Device, onDevice, type Target } from "../queries";
import { Answered } from "./Answered";
import classes from "./downlinks.module.css";
import { isObject } from "./object";
import { Online } from "./Online";

const words = texts.device.properties;
const PATH = "/v5/iot/{project_id}/devices/{device_id}/properties";

/** Asks the device itself for its properties, or to set them; it answers or not. */
export function Properties({ target, device }: { target: Target; device: Device }) {
  const [service, setService] = useState("");
  const [text, setText] = useState("{}");
  const { value } = parseJson(text);
  const on = onDevice(target);
  const ask = useMutation({
    mutationFn: (set: Record<string, unknown> | undefined) =>
      body(
        set === undefined
          ? client.GET(PATH, { ...on, params: { ...on.params, query: { service_id: service } } })
          : client.PUT(PATH, {
              ...on,
              body: { services: [{ service_id: service, properties: set as Record<string, never> }] },
            }),
      ),
  });
  const may = mayChange(useOperator());
  return (
    <Card title={words.title}>
      <Online device={device} />
      <Text size="sm" c="var(--rc-muted)" mb="sm">
        {words.hint}
      </Text>
      <div className={classes["form"]}>
        <TextInput label={words.service} value={service} onChange={(e) => setService(e.currentTarget.value)} required />
        {may && (
          <JsonEditor
            label={words.values}
            value={text}
            onChange={setText}
            problem={value === undefined || isObject(value) ? undefined : texts.device.commands.noObject}
            minRows={4}
          />
        )}
        <Group gap="xs">
          <Button disabled={service === ""} loading={ask.isPending} onClick={() => ask.mutate(undefined)}>
            {words.read}
          </Button>
          {may && (
            <Button
              variant="default"
              disabled={service === "" || !isObject(value) || Object.keys(value).length === 0 || ask.isPending}
              onClick={() => isObject(value) && ask.mutate(value)}
            >
              {words.set}
            </Button>
          )}
        </Group>
      </div>
      {ask.isPending && (
        <Text size="sm" role="status">
          {texts.device.commands.waiting}
        </Text>
      )}
      {ask.error !== null && <Failure error={ask.error} />}
      {ask.data !== undefined && <Answered id={ask.data.request_id} answer={ask.data} />}
    </Card>
  );
}
