import { Button, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { client, type Schemas } from "../../../api/client";
import { mayChange, useOperator } from "../../../api/session";
import { Empty } from "../../../kit/Empty";
import { Failure } from "../../../kit/Failure";
import { Loaded } from "../../../kit/Loaded";
import { Card } from "../../../kit/Page";
import { Time } from "../../../kit/Time";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import classes from "../device.module.css";
import { Payload } from "../payload/Payload";
import { keyOf, messages, onDevice, type Target } from "../queries";
import { NewMessage } from "./NewMessage";

const words = texts.device.messages;

/** The last messages to the device, newest first, and a new one. */
export function Messages({ target }: { target: Target }) {
  const query = useQuery(messages(target));
  const may = mayChange(useOperator());
  return (
    <div>
      {may && <NewMessage target={target} />}
      <Card title={words.title}>
        <Loaded query={query}>
          {({ messages }) =>
            messages.length === 0 ? (
              <Empty text={words.none} />
            ) : (
              <ol className={classes["entries"]}>
                {messages.map((message) => (
                  <li key={message.message_id} className={classes["entry"]}>
                    <One target={target} message={message} may={may} />
                  </li>
                ))}
              </ol>
            )
          }
        </Loaded>
      </Card>
    </div>
  );
}

function One({ target, message, may }: { target: Target; message: Schemas["DeviceMessage"]; may: boolean }) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => {
      const { headers, params } = onDevice(target);
      const path = { ...params.path, message_id: message.message_id };
      return client.DELETE("/v5/iot/{project_id}/devices/{device_id}/messages/{message_id}", {
        headers,
        params: { path },
      });
    },
    onSettled: () => queries.invalidateQueries({ queryKey: keyOf(target) }),
  });
  const { status, created_time, finished_time, topic, name, encoding, error_info } = message;
  const states: Record<string, string> = words.states;
  const content: unknown = message.message;
  return (
    <>
      <div className={classes["head"]}>
        <Text size="sm" fw={600}>
          {states[status] ?? status}
        </Text>
        {typeof name === "string" && <Untrusted text={name} />}
        {typeof topic === "string" && <Untrusted text={topic} mono />}
        <Text size="sm" c="var(--rc-muted)">
          {words.created} <Time at={created_time} />
          {typeof finished_time === "string" && (
            <>
              {" · "}
              {words.finished} <Time at={finished_time} />
            </>
          )}
        </Text>
        {may && (
          <Button size="compact-xs" variant="subtle" loading={remove.isPending} onClick={() => remove.mutate()}>
            {words.remove}
          </Button>
        )}
      </div>
      {error_info !== null && error_info !== undefined && (
        <Text size="sm" c="var(--rc-bad)" component="div">
          <Untrusted text={`${error_info.error_code}: ${error_info.error_msg}`} />
        </Text>
      )}
      {remove.error !== null && <Failure error={remove.error} />}
      <Payload
        payload={content}
        encoding={encoding === "base64" ? "base64" : typeof content === "string" ? "text" : "json"}
      />
    </>
  );
}
