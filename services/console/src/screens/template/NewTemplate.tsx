import { Button, Stack, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type SubmitEvent, useState } from "react";

import { usePlace } from "../../api/place";
import { CopyAs } from "../../kit/CopyAs";
import { Failure } from "../../kit/Failure";
import { Card, Page } from "../../kit/Page";
import { texts } from "../../texts";
import { described } from "./described";
import { Editor } from "./Editor";
import { newBody } from "./edits";
import { readBody, written } from "./json";
import { LeaveGuard } from "./LeaveGuard";
import { create, type Draft } from "./queries";
import classes from "./TemplateScreen.module.css";
import { TryCertificate } from "./TryCertificate";

const BEGINNING = written(newBody());

/** A template to be made. No device goes by it before a CA certificate is bound, so that there is nothing to ask before. */
export function NewTemplate() {
  const place = usePlace();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [text, setText] = useState(BEGINNING);
  const read = readBody(text);
  const creating = useMutation({
    mutationFn: (draft: Draft) => create(place, draft),
    onSuccess: async ({ template_id, template_name }) => {
      await queries.invalidateQueries({ queryKey: ["templates", place.instance] });
      notifications.show({ message: texts.template.created(template_name) });
      await navigate({
        to: "/instances/$instance/templates/$template",
        params: { instance: place.instance, template: template_id },
        ignoreBlocker: true,
      });
    },
  });
  const draft = read.body === undefined ? undefined : { name, description, body: read.body };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (draft !== undefined) {
      creating.mutate(draft);
    }
  };
  const isDirty = name !== "" || description !== "" || text !== BEGINNING;
  return (
    <Page
      title={texts.template.newTitle}
      actions={
        <>
          {draft !== undefined && <CopyAs of={described(place, draft)} />}
          <Button form="template" type="submit" disabled={draft === undefined} loading={creating.isPending}>
            {texts.template.create}
          </Button>
        </>
      }
    >
      <Stack gap="md">
        {creating.error !== null && <Failure error={creating.error} />}
        <div className={classes["columns"]}>
          <div className={classes["side"]}>
            <form id="template" onSubmit={submit}>
              <Card>
                <div className={classes["fields"]}>
                  <TextInput
                    label={texts.template.name}
                    description={texts.template.nameHint}
                    required
                    maxLength={128}
                    value={name}
                    onChange={(event) => setName(event.currentTarget.value)}
                    autoComplete="off"
                  />
                  <TextInput
                    label={texts.template.description}
                    description={texts.template.descriptionHint}
                    maxLength={2048}
                    value={description}
                    onChange={(event) => setDescription(event.currentTarget.value)}
                    autoComplete="off"
                  />
                </div>
              </Card>
            </form>
            <Editor text={text} read={read} onChange={setText} readOnly={false} />
          </div>
          <TryCertificate body={read.body} />
        </div>
      </Stack>
      <LeaveGuard isDirty={isDirty && !creating.isSuccess} />
    </Page>
  );
}
