import { Alert, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import type { Template } from "../../api/lists";
import { usePlace } from "../../api/place";
import { mayChange, seesWholeInstance, useOperator } from "../../api/session";
import { CopyAs } from "../../kit/CopyAs";
import { Card, Page } from "../../kit/Page";
import { visible } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { BoundTo } from "./BoundTo";
import { DeleteTemplate } from "./DeleteTemplate";
import { described } from "./described";
import { Editor } from "./Editor";
import { type JsonObject, readBody, written } from "./json";
import { LeaveGuard } from "./LeaveGuard";
import { update } from "./queries";
import { ReviewDialog } from "./ReviewDialog";
import classes from "./TemplateScreen.module.css";
import { TryCertificate } from "./TryCertificate";

/** What is being changed, and what it was when that began. */
interface Changing {
  text: string;
  description: string;
  base: { text: string; description: string };
}

/** A template as the server has it, or as it is being changed. */
export function ExistingTemplate({ template }: { template: Template }) {
  const { template_id: id, template_name } = template;
  const place = usePlace();
  const queries = useQueryClient();
  const operator = useOperator();
  const readOnly = !mayChange(operator) || !seesWholeInstance(operator);
  const [changing, setChanging] = useState<Changing>();
  const [isReviewing, setReviewing] = useState(false);
  const kept = { text: written(template.template_body as unknown as JsonObject), description: template.description };
  const { text, description, base } = changing ?? { ...kept, base: kept };
  const read = readBody(text);
  const isOther = (one: { text: string; description: string }, other: typeof one) =>
    one.text !== other.text || one.description !== other.description;
  const isDirty = isOther({ text, description }, kept);
  const isOverwriting = changing !== undefined && isOther(base, kept);
  const save = async () => {
    const changed = {
      ...(description === kept.description ? {} : { description }),
      ...(read.body === undefined || text === kept.text ? {} : { body: read.body }),
    };
    await update(place, id, changed);
    await queries.invalidateQueries({ queryKey: ["templates", place.instance] });
    setChanging(undefined);
    notifications.show({ message: texts.template.saved });
  };
  return (
    <Page
      title={visible(template_name)}
      actions={
        <>
          {read.body !== undefined && (
            <CopyAs of={described(place, { name: template_name, description, body: read.body }, id)} />
          )}
          {!readOnly && <DeleteTemplate template={template} />}
          {!readOnly && isDirty && (
            <Button variant="default" onClick={() => setChanging(undefined)}>
              {texts.template.discard}
            </Button>
          )}
          {!readOnly && (
            <Button disabled={!isDirty || read.body === undefined} onClick={() => setReviewing(true)}>
              {texts.template.review}
            </Button>
          )}
        </>
      }
    >
      <Stack gap="md">
        {readOnly && <Text c="var(--rc-muted)">{texts.template.readOnly}</Text>}
        {isOverwriting && (
          <Alert color="yellow" variant="light" role="alert">
            <Group justify="space-between">{texts.template.changedMeanwhile}</Group>
          </Alert>
        )}
        <div className={classes["columns"]}>
          <div className={classes["side"]}>
            <Card>
              <TextInput
                label={texts.template.description}
                description={texts.template.descriptionHint}
                maxLength={2048}
                readOnly={readOnly}
                value={description}
                onChange={(event) => setChanging({ text, description: event.currentTarget.value, base })}
                autoComplete="off"
              />
            </Card>
            <Editor
              text={text}
              read={read}
              readOnly={readOnly}
              onChange={(text) => setChanging({ text, description, base })}
            />
          </div>
          <div className={classes["side"]}>
            <TryCertificate body={read.body} />
            <BoundTo id={id} />
          </div>
        </div>
      </Stack>
      {read.body !== undefined && (
        <ReviewDialog
          id={id}
          opened={isReviewing}
          onClose={() => setReviewing(false)}
          before={template.template_body as unknown as JsonObject}
          after={read.body}
          isOverwriting={isOverwriting}
          onSave={save}
        />
      )}
      <LeaveGuard isDirty={isDirty} />
    </Page>
  );
}
