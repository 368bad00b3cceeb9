import { Radio, Stack, Switch, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import {
  addTag,
  declare,
  removeTag,
  setOnCertificateChange,
  setPolicies,
  setProduct,
  setReference,
  setTag,
} from "./edits";
import { type Form, formOf, PARAMETERS, REFERENCES, type Use, usesOf } from "./form";
import type { JsonObject } from "./json";
import { PoliciesField } from "./PoliciesField";
import { ProductField } from "./ProductField";
import { SourceField } from "./SourceField";
import { TagsField } from "./TagsField";
import classes from "./TemplateScreen.module.css";

interface FormEditorProps {
  body: JsonObject;
  onChange: (body: JsonObject) => void;
  readOnly: boolean;
}

/** A body as a form. What it does not show is named, and kept. */
export function FormEditor({ body, onChange, readOnly }: FormEditorProps) {
  const form = formOf(body);
  return (
    <fieldset disabled={readOnly} className={classes["fieldset"]}>
      <Stack gap="lg">
        <Part title={texts.template.parameters} hint={texts.template.parametersHint}>
          <Parameters form={form} onChange={(name, isOn) => onChange(declare(body, name, isOn))} />
        </Part>
        <Part title={texts.template.device}>
          <div className={classes["fields"]}>
            {REFERENCES.map((field) => (
              <SourceField
                key={field}
                label={texts.template.fields[field]}
                description={texts.template.fieldHints[field]}
                source={form.references[field]}
                isRequired={field === "node_id"}
                onChange={(source) => onChange(setReference(body, field, source))}
              />
            ))}
          </div>
          <ProductField source={form.product} onChange={(source) => onChange(setProduct(body, source))} />
        </Part>
        <Part title={texts.template.tags}>
          <TagsField
            tags={form.tags}
            readOnly={readOnly}
            onChange={(index, part, source) => onChange(setTag(body, index, part, source))}
            onAdd={() => onChange(addTag(body))}
            onRemove={(index) => onChange(removeTag(body, index))}
          />
        </Part>
        <Part title={texts.template.policies}>
          <PoliciesField form={form} onChange={(ids) => onChange(setPolicies(body, ids))} />
        </Part>
        <Radio.Group
          label={texts.template.onChange}
          value={form.onCertificateChange}
          onChange={(rule) => onChange(setOnCertificateChange(body, rule === "replace" ? "replace" : "reject"))}
        >
          <Stack gap={6} mt={6}>
            <Radio value="reject" label={texts.template.onChangeValues.reject} />
            <Radio value="replace" label={texts.template.onChangeValues.replace} />
          </Stack>
        </Radio.Group>
        {form.others.length > 0 && (
          <div role="note">
            <Text size="sm">{texts.template.others}</Text>
            <ul className={classes["list"]}>
              {form.others.map((path) => (
                <li key={path}>
                  <Untrusted text={path} mono />
                </li>
              ))}
            </ul>
          </div>
        )}
      </Stack>
    </fieldset>
  );
}

function Part({ title, hint, children }: { title: string; hint?: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <Title order={3} size="h6" mb={4}>
        {title}
      </Title>
      {hint !== undefined && (
        <Text size="sm" c="var(--rc-muted)" mb="xs">
          {hint}
        </Text>
      )}
      <Stack gap="sm">{children}</Stack>
    </section>
  );
}

/** As the form calls the field; tags count as they are shown. */
function nameOf({ tags }: Form, { field, index }: Use): string {
  const name = texts.template.fields[field];
  return index === undefined ? name : texts.template.ofTag(name, tags.findIndex((tag) => tag.index === index) + 1);
}

/** A toggle for each of the seven. One that a field refers to stays on: without it, the body is none. */
function Parameters({ form, onChange }: { form: Form; onChange: (name: string, isOn: boolean) => void }) {
  const uses = usesOf(form);
  return (
    <div className={classes["parameters"]}>
      {PARAMETERS.map((name) => {
        const isOn = form.parameters.includes(name);
        const by = uses.get(name);
        const isNeeded = isOn && by !== undefined;
        return (
          <Switch
            key={name}
            label={texts.template.fromCertificate(name)}
            description={by === undefined ? undefined : texts.template.usedBy(by.map((use) => nameOf(form, use)))}
            checked={isOn}
            aria-disabled={isNeeded}
            onChange={(event) => {
              if (!isNeeded) {
                onChange(name, event.currentTarget.checked);
              }
            }}
          />
        );
      })}
    </div>
  );
}
