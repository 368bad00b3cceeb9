import { Button, Group, Text, Title } from "@mantine/core";

import { usePlace } from "../../api/place";
import { Checks } from "../../kit/Checks";
import { CodeLink } from "../../kit/CodeLink";
import { CodePage } from "../../kit/CodePage";
import { TextLink } from "../../kit/links";
import { Card } from "../../kit/Page";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { WouldBe } from "../../kit/WouldBe";
import { texts } from "../../texts";
import classes from "./DebugScreen.module.css";
import { MatchingAttempts } from "./MatchingAttempts";
import type { DebugAnswer } from "./queries";

const t = texts.debug;

interface DebugReportProps {
  answer: DebugAnswer;
  isAsking: boolean;
  onAgain: () => void;
}

export function DebugReport({ answer, isAsking, onAgain }: DebugReportProps) {
  const { instance } = usePlace();
  const { outcome, device, connection, checks, device_certificate: says } = answer;
  const { code } = connection;
  const isKnown = outcome === "already_registered" || outcome === "replace" || outcome === "pin";
  return (
    <>
      <Verdict answer={answer} isAsking={isAsking} onAgain={onAgain} />
      {code !== undefined && code !== null && (
        <Card title={t.whatToDo}>
          <CodePage code={code} isBare />
        </Card>
      )}
      {device !== undefined && device !== null && (
        <Card title={isKnown ? t.deviceIs : t.deviceWouldBe}>
          <WouldBe device={device} caption={isKnown ? t.deviceIs : t.deviceWouldBe} />
          {isKnown && (
            <TextLink to="/instances/$instance/devices/$device" params={{ instance, device: device.device_id }}>
              {t.toDevice}
            </TextLink>
          )}
        </Card>
      )}
      <Card title={t.checks}>
        <Checks checks={checks} />
      </Card>
      {says !== undefined && says !== null && (
        <MatchingAttempts fingerprint={says.fingerprint} now={connection.outcome} />
      )}
    </>
  );
}

/** Whether it is let in now, and why not; with where that is decided. */
function Verdict({ answer, isAsking, onAgain }: DebugReportProps) {
  const { instance } = usePlace();
  const { outcome, connection, found_by, certificate_id, leads_to_certificate_id, template_id, device_certificate } =
    answer;
  const { code, text } = connection;
  const certificate = leads_to_certificate_id ?? certificate_id ?? undefined;
  const isRefused = connection.outcome === "refuse";
  return (
    <Card>
      <div className={classes["verdict"]} data-tone={isRefused ? "bad" : "good"}>
        <Group justify="space-between" align="flex-start">
          <div role="status">
            <Title order={2} size="h4">
              {isRefused ? t.refused : t.letIn[connection.outcome === "accept" ? "already_registered" : outcome]}
            </Title>
          </div>
          <Button variant="default" size="compact-sm" loading={isAsking} onClick={onAgain}>
            {t.again}
          </Button>
        </Group>
        <Text component="div" mt={4}>
          {code !== undefined && code !== null && (
            <>
              <CodeLink code={code} />
              {": "}
            </>
          )}
          <Untrusted text={text} />
        </Text>
        {found_by !== "signature" && (
          <Text size="sm" mt={4}>
            {t.foundBy[found_by ?? "none"]}
          </Text>
        )}
        {device_certificate !== undefined && device_certificate !== null && (
          <Text size="sm" mt="xs" component="div">
            <Untrusted text={device_certificate.common_name} />
            {", "}
            {t.valid} <Time at={device_certificate.effective_date} dated />
            {", "}
            {t.until} <Time at={device_certificate.expiry_date} dated />
            {", SHA-256 "}
            <Untrusted text={device_certificate.fingerprint} mono />
          </Text>
        )}
        <Group gap="md" mt="xs">
          {certificate !== undefined && (
            <TextLink
              size="sm"
              to="/instances/$instance/ca-certificates/$certificate"
              params={{ instance, certificate }}
            >
              {t.toCaCertificate}
            </TextLink>
          )}
          {template_id !== undefined && template_id !== null && (
            <TextLink
              size="sm"
              to="/instances/$instance/templates/$template"
              params={{ instance, template: template_id }}
            >
              {t.toTemplate}
            </TextLink>
          )}
        </Group>
      </div>
    </Card>
  );
}
