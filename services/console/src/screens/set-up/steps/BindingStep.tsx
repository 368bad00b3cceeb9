import { Stack, Text } from "@mantine/core";

import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import { BindTemplate } from "../../ca-certificates/BindTemplate";
import type { StepProps } from "../Checklist";
import { Waits } from "./Waits";

export function BindingStep({ place, progress: { certificate, template, done }, mayChange }: StepProps) {
  const words = texts.setUp.bindingStep;
  if (certificate === undefined || !certificate.status) {
    return <Waits step={certificate === undefined ? "certificate" : "proof"} />;
  }
  if (template === undefined) {
    return <Waits step="template" />;
  }
  return (
    <Stack gap="sm">
      <Text size="sm">{words.explain}</Text>
      {done.binding ? (
        <Untrusted text={words.is(template.template_name)} />
      ) : (
        <BindTemplate place={place} certificate={certificate} proposed={template.template_id} mayChange={mayChange} />
      )}
    </Stack>
  );
}
