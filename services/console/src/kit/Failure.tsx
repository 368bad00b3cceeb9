import { Alert, Code, Group, Text } from "@mantine/core";

import { ApiError } from "../api/error";
import { texts } from "../texts";
import { Untrusted } from "./Untrusted";

/** What went wrong, with the code that says more and the id that somebody can look it up by. */
export function Failure({ error }: { error: Error }) {
  const isRefusal = error instanceof ApiError;
  return (
    <Alert color="red" variant="light" role="alert" title={isRefusal ? error.code : texts.failure.unreachable}>
      <Text size="sm" component="div">
        <Untrusted text={error.message} />
      </Text>
      {isRefusal && error.requestId !== undefined && (
        <Group gap={6} mt={6}>
          <Text size="xs" c="var(--rc-muted)">
            {texts.failure.requestId}
          </Text>
          <Code>{error.requestId}</Code>
        </Group>
      )}
    </Alert>
  );
}
