import { Button, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";

import { body, client } from "../../../api/client";
import { mayChange, useOperator } from "../../../api/session";
import { Failure } from "../../../kit/Failure";
import { parseJson } from "../../../kit/json";
import { JsonEditor } from "../../../kit/JsonEditor";
import { Card } from "../../../kit/Page";
import { texts } from "../../../texts";
import { type Device, onDevice, type Target } from "../queries";
import { Answered } from "./Answered";
import { Online } from "./Online";
import classes from "./downlinks.module.css";
import { isObject } from "./object";

const words = texts.device.commands;

/** Sends a command and waits for what the device answers. */
export function Commands({ target, device }: { target: Target; device: Device }) {
  const [service, setService] = useState("");
  const [name, setName] = useState("");
  const [text, setText] = useState("{}");
  const { value } = parseJson(text);
  const command = useMutation({
    mutationFn: (paras: Record<string, never>) => {
      const given = {
        ...(service !== "" && { service_id: service }),
        ...(name !== "" && { command_name: name }),
        paras,
      };
      return body(
        client.POST("/v5/iot/{project_id}/devices/{device_id}/commands", { ...onDevice(target), body: given }),
      );
    },
  });
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    if (isObject(value)) {
      command.mutate(value as Record<string, never>);
    }
  };
  if (!mayChange(useOperator())) {
    return <Card title={words.title}>{texts.device.viewer}</Card>;
  }
  return (
    <Card title={words.title}>
      <Online device={device} />
      <form onSubmit={send} className={classes["form"]}>
        <div className={classes["fields"]}>
          <TextInput label={words.service} value={service} onChange={(e) => setService(e.currentTarget.value)} />
          <TextInput label={words.name} value={name} onChange={(e) => setName(e.currentTarget.value)} />
        </div>
        <JsonEditor
          label={words.paras}
          value={text}
          onChange={setText}
          problem={value === undefined || isObject(value) ? undefined : words.noObject}
          minRows={4}
        />
        <div>
          <Button type="submit" loading={command.isPending} disabled={!isObject(value)}>
            {words.send}
          </Button>
        </div>
      </form>
      {command.isPending && (
        <Text size="sm" role="status">
          {words.waiting}
        </Text>
      )}
      {command.error !== null && <Failure error={command.error} />}
      {command.data !== undefined && <Answered id={command.data.command_id} answer={command.data} />}
    </Card>
  );
}
