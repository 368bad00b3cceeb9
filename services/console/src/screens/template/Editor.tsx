import { Alert, Button, Stack, Tabs } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { JsonEditor } from "../../kit/JsonEditor";
import { Card } from "../../kit/Page";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { FormEditor } from "./FormEditor";
import { type Read, written } from "./json";

interface EditorProps {
  /** The body as text, which is the state of the form and of the JSON alike. */
  text: string;
  read: Read;
  onChange: (text: string) => void;
  readOnly: boolean;
}

/** A template body, as a form or as the JSON that it is. */
export function Editor({ text, read, onChange, readOnly }: EditorProps) {
  const { as = "form" } = useSearch({ from: "/signed-in/instances/$instance/templates/$template" });
  const navigate = useNavigate();
  const show = (tab: string | null) =>
    void navigate({ to: ".", search: tab === "json" ? { as: "json" } : {}, replace: true });
  return (
    <Card title={texts.template.body}>
      <Tabs value={as} onChange={show} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="form">{texts.template.form}</Tabs.Tab>
          <Tabs.Tab value="json">{texts.template.json}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="form">
          {read.body === undefined ? (
            <Alert color="red" variant="light" role="alert" title={texts.template.jsonBroken}>
              <Stack gap="xs" align="flex-start">
                <Untrusted text={texts.kit.json.at(read.problem.line, read.problem.column, read.problem.text)} />
                <Button variant="default" size="compact-sm" onClick={() => show("json")}>
                  {texts.template.toJson}
                </Button>
              </Stack>
            </Alert>
          ) : (
            <FormEditor body={read.body} readOnly={readOnly} onChange={(body) => onChange(written(body))} />
          )}
        </Tabs.Panel>
        <Tabs.Panel value="json">
          <JsonEditor
            label={texts.template.jsonLabel}
            value={text}
            onChange={onChange}
            readOnly={readOnly}
            problem={read.problem?.text}
            minRows={16}
          />
        </Tabs.Panel>
      </Tabs>
    </Card>
  );
}
