import { Select, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";

import { TextLink } from "../../../kit/links";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import { type Parameter, PARAMETERS } from "../../template/form";
import type { StepProps } from "../Checklist";
import { createTemplate } from "../queries";
import { isParameter, nameOf, templateOf } from "../wanted";
import { StepForm } from "./StepForm";
import { Waits } from "./Waits";

const COMMON_NAME = "iotda::certificate::common_name";
/** Characters of a template's name, at most 64, that are left for the product's. */
const PRODUCT_CHARS = 40;

export function TemplateStep({ place, progress: { product, template }, mayChange, onDone }: StepProps) {
  const words = texts.setUp.templateStep;
  const [name, setName] = useState<string>();
  const [nodeId, setNodeId] = useState<Parameter>(COMMON_NAME);
  const [deviceName, setDeviceName] = useState<Parameter>(COMMON_NAME);
  if (product === undefined) {
    return <Waits step="product" />;
  }
  const { instance } = place;
  const chosen = name ?? words.nameOf(nameOf(product.name, PRODUCT_CHARS));
  const fields = PARAMETERS.map((value) => ({ value, label: texts.template.parameterNames[value] ?? value }));
  return (
    <Stack gap="sm">
      <Text size="sm">{words.explain}</Text>
      {template !== undefined ? (
        <>
          <Untrusted text={words.is(template.template_name)} />
          <TextLink
            size="sm"
            to="/instances/$instance/templates/$template"
            params={{ instance, template: template.template_id }}
          >
            {words.edit}
          </TextLink>
        </>
      ) : (
        <>
          <StepForm
            submit={words.submit}
            mayChange={mayChange}
            onSubmit={() => createTemplate(place, templateOf(chosen, product.product_id, nodeId, deviceName))}
            changes={["templates", instance]}
            onDone={onDone}
          >
            <TextInput
              label={words.name}
              required
              value={chosen}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <Select
              label={words.nodeId}
              data={fields}
              value={nodeId}
              onChange={(field) => isParameter(field) && setNodeId(field)}
              allowDeselect={false}
            />
            <Select
              label={words.deviceName}
              data={fields}
              value={deviceName}
              onChange={(field) => isParameter(field) && setDeviceName(field)}
              allowDeselect={false}
            />
          </StepForm>
          <TextLink size="sm" to="/instances/$instance/templates/$template" params={{ instance, template: "new" }}>
            {words.full}
          </TextLink>
        </>
      )}
    </Stack>
  );
}
