import { Alert, Code, Group, Text } from "@mantine/core";

import { ApiError } from "../api/error";
import { texts } from "../texts";
import { CodeLink } from "./CodeLink";
import { Untrusted } from "./Untrusted";

/** A code of the API, which has a page; where something before the API answered, there is the status alone. */
const CODE = /^[\w.]+$/;

/** What went wrong, with the code whose page says what to do and the id that somebody can look it up by. */
export function Failure({ error }: { error: Error }) {
  const isRefusal = error instanceof ApiError;
  return (
    <Alert color="red" variant="light" role="alert" title={isRefusal ? titleOf(error) : texts.failure.unreachable}>
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

function titleOf({ code }: ApiError) {
  return CODE.test(code) ? <CodeLink code={code} /> : <Untrusted text={code} />;
}
