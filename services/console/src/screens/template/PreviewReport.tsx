import { Alert, Stack, Text, Title } from "@mantine/core";

import { usePlace } from "../../api/place";
import { Checks } from "../../kit/Checks";
import { CodeLink } from "../../kit/CodeLink";
import { TextLink } from "../../kit/links";
import { Untrusted } from "../../kit/Untrusted";
import { Fact, Facts, WouldBe } from "../../kit/WouldBe";
import { texts } from "../../texts";
import type { Preview } from "./queries";
import classes from "./TemplateScreen.module.css";

/** What a template makes of a certificate: what it reads, what becomes of it, and what is in the way. */
export function PreviewReport({ answer }: { answer: Preview }) {
  const { instance } = usePlace();
  const { parameters, device, problems, checks } = answer;
  const collision = answer.collision ?? undefined;
  // A collision is a problem too, and is said where its device is named.
  const others = problems.filter(({ text }) => text !== collision?.text);
  const code = problems.find(({ text }) => text === collision?.text)?.code;
  return (
    <Stack gap="md">
      {others.length > 0 && (
        <Alert color="red" variant="light" title={texts.template.try.problems}>
          <ul className={classes["list"]}>
            {others.map(({ code, text }) => (
              <li key={`${code} ${text}`}>
                <Untrusted text={text} /> <CodeLink code={code} />
              </li>
            ))}
          </ul>
        </Alert>
      )}
      {collision !== undefined && (
        <Alert color="red" variant="light" title={texts.template.try.collides}>
          <Untrusted text={collision.text} /> {code !== undefined && <CodeLink code={code} />}{" "}
          {collision.device_id !== undefined && collision.device_id !== null && (
            <TextLink to="/instances/$instance/devices/$device" params={{ instance, device: collision.device_id }}>
              <Untrusted text={collision.device_id} mono />
            </TextLink>
          )}
        </Alert>
      )}
      {device === undefined || device === null ? (
        <Text size="sm">{texts.template.try.noDevice}</Text>
      ) : (
        <div>
          <Title order={3} size="h6" mb={4}>
            {texts.template.try.becomes}
          </Title>
          <WouldBe device={device} caption={texts.template.try.becomes} />
          {collision === undefined && problems.length === 0 && (
            <Text size="sm" mt="xs" c="var(--rc-good)">
              {texts.template.try.free}
            </Text>
          )}
        </div>
      )}
      {parameters.length > 0 && (
        <div>
          <Title order={3} size="h6" mb={4}>
            {texts.template.parameters}
          </Title>
          <Facts head={[texts.template.try.parameter, texts.template.try.value]} caption={texts.template.parameters}>
            {parameters.map(({ name, value, problem }) => (
              <Fact key={name} name={texts.template.fromCertificate(name)}>
                {problem !== undefined && problem !== null ? (
                  <Text span size="sm" c="var(--rc-bad)">
                    <Untrusted text={problem} />
                  </Text>
                ) : (
                  <Untrusted text={value ?? texts.template.try.noValue} mono />
                )}
              </Fact>
            ))}
          </Facts>
        </div>
      )}
      {checks.length > 0 && (
        <details>
          <summary>{texts.template.try.checks(checks.filter(({ passed }) => !passed).length, checks.length)}</summary>
          <Checks checks={checks} />
        </details>
      )}
    </Stack>
  );
}
