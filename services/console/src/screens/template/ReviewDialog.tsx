import { Alert, Button, Group, Loader, Modal, Stack, Table, Text, Title } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";

import { usePlace } from "../../api/place";
import { Failure } from "../../kit/Failure";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { type Change, changesOf } from "./changes";
import type { JsonObject } from "./json";
import { losing } from "./outcomes";
import { whatIf } from "./queries";
import classes from "./TemplateScreen.module.css";
import { WhatIfReport } from "./WhatIfReport";

interface ReviewDialogProps {
  id: string;
  opened: boolean;
  onClose: () => void;
  /** As the server has it, and as it would be. */
  before: JsonObject;
  after: JsonObject;
  isOverwriting: boolean;
  onSave: () => Promise<unknown>;
}

/** What a change does to the devices that are registered, before it is saved. */
export function ReviewDialog(props: ReviewDialogProps) {
  return (
    <Modal
      opened={props.opened}
      onClose={props.onClose}
      title={texts.template.reviewTitle}
      size="xl"
      closeButtonProps={{ "aria-label": texts.template.close }}
    >
      {props.opened && <Review {...props} />}
    </Modal>
  );
}

function Review({ id, onClose, before, after, isOverwriting, onSave }: ReviewDialogProps) {
  const place = usePlace();
  const changes = changesOf(before, after);
  const isOfBody = changes.length > 0;
  const asked = useQuery({ ...whatIf(place, id, after), enabled: isOfBody });
  const saving = useMutation({ mutationFn: onSave, onSuccess: onClose });
  const answer = asked.data;
  const lost = answer?.valid === true ? losing(answer.counts) : 0;
  const isRefused = answer?.valid === false || (answer?.rejection !== undefined && answer.rejection !== null);
  const isReady = !isOfBody || (answer !== undefined && !isRefused && !asked.isFetching);
  return (
    <Stack gap="md">
      {isOverwriting && (
        <Alert color="yellow" variant="light">
          {texts.template.changedMeanwhile}
        </Alert>
      )}
      {isOfBody ? <Changes changes={changes} /> : <Text>{texts.template.onlyDescription}</Text>}
      {isOfBody && asked.isFetching && (
        <Group gap="xs" role="status">
          <Loader size="xs" aria-hidden />
          <Text size="sm">{texts.template.examining}</Text>
        </Group>
      )}
      {asked.error !== null && !asked.isFetching && (
        <Stack gap="xs" align="flex-start">
          <Failure error={asked.error} />
          <Button variant="default" size="compact-sm" onClick={() => void asked.refetch()}>
            {texts.template.whatIf.again}
          </Button>
        </Stack>
      )}
      {answer !== undefined && !asked.isFetching && <WhatIfReport answer={answer} />}
      {saving.error !== null && <Failure error={saving.error} />}
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={onClose} data-autofocus>
          {texts.template.cancel}
        </Button>
        <Button
          disabled={!isReady}
          loading={saving.isPending}
          onClick={() => saving.mutate()}
          {...(lost > 0 && { color: "red.9" })}
        >
          {lost > 0 ? texts.template.saveAndLose(lost) : texts.template.save}
        </Button>
      </Group>
    </Stack>
  );
}

function Changes({ changes }: { changes: Change[] }) {
  const side = (value: string | undefined) =>
    value === undefined ? (
      <Text span size="sm" c="var(--rc-muted)">
        {texts.template.absent}
      </Text>
    ) : (
      <Untrusted text={value} mono />
    );
  return (
    <section aria-label={texts.template.changes}>
      <Title order={3} size="h6">
        {texts.template.changes}
      </Title>
      <div className={classes["scroll"]}>
        <Table verticalSpacing={4}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{texts.template.changePath}</Table.Th>
              <Table.Th>{texts.template.changeBefore}</Table.Th>
              <Table.Th>{texts.template.changeAfter}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {changes.map(({ path, before, after }) => (
              <Table.Tr key={path}>
                <Table.Th scope="row" fw={400}>
                  <Untrusted text={path} mono />
                </Table.Th>
                <Table.Td>{side(before)}</Table.Td>
                <Table.Td>{side(after)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </section>
  );
}
