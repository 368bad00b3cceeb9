import { Alert, Text } from "@mantine/core";

import { CodeLink } from "../../../kit/CodeLink";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import { Payload } from "../payload/Payload";

interface Props {
  /** The command or request, as the device was told it. */
  id: string;
  answer: { response?: unknown; error_code?: string | null; error_msg?: string | null };
}

const words = texts.device.answer;

/** What the device has answered, or that it has not. */
export function Answered({ id, answer: { response, error_code, error_msg } }: Props) {
  return (
    <div role="status">
      <Text size="sm" c="var(--rc-muted)" component="div">
        {words.request} <Untrusted text={id} mono />
      </Text>
      {typeof error_code === "string" ? (
        <Alert color="orange" variant="light" title={words.none}>
          <CodeLink code={error_code} /> <Untrusted text={error_msg ?? ""} />
        </Alert>
      ) : (
        <>
          <Text size="sm" fw={600}>
            {words.title}
          </Text>
          <Payload payload={response} encoding="json" />
        </>
      )}
    </div>
  );
}
