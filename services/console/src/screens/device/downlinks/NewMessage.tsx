import { Button, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";

import { body, client } from "../../../api/client";
import { Failure } from "../../../kit/Failure";
import { Card } from "../../../kit/Page";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import { keyOf, onDevice, type Target } from "../queries";
import classes from "./downlinks.module.css";

const words = texts.device.messages;

/** Sends a message, which waits for a device that is not online. */
export function NewMessage({ target }: { target: Target }) {
  const [text, setText] = useState("");
  const [topic, setTopic] = useState("");
  const queries = useQueryClient();
  const send = useMutation({
    mutationFn: () =>
      body(
        client.POST("/v5/iot/{project_id}/devices/{device_id}/messages", {
          ...onDevice(target),
          body: { message: text, ...(topic !== "" && { topic }) },
        }),
      ),
    onSuccess: () => {
      setText("");
      return queries.invalidateQueries({ queryKey: keyOf(target) });
    },
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    send.mutate();
  };
  const states: Record<string, string> = words.states;
  return (
    <Card title={words.new}>
      <form onSubmit={submit} className={classes["form"]}>
        <Textarea
          label={words.text}
          description={words.waits}
          value={text}
          onChange={({ currentTarget: { value } }) => setText(value)}
          autosize
          minRows={3}
          maxRows={20}
        />
        <TextInput
          label={words.topic}
          description={words.topicHint}
          value={topic}
          onChange={({ currentTarget: { value } }) => setTopic(value)}
        />
        <div>
          <Button type="submit" disabled={text === ""} loading={send.isPending}>
            {words.send}
          </Button>
        </div>
      </form>
      {send.error !== null && <Failure error={send.error} />}
      {send.data !== undefined && (
        <Text size="sm" role="status" component="div">
          {states[send.data.result.status] ?? send.data.result.status}: <Untrusted text={send.data.message_id} mono />
        </Text>
      )}
    </Card>
  );
}
