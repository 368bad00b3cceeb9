import { Button, Modal, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { caCertificates, type Template } from "../../api/lists";
import { usePlace } from "../../api/place";
import { ConfirmDialog } from "../../kit/ConfirmDialog";
import { visible } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { BoundTo } from "./BoundTo";
import { remove } from "./queries";

/** Deletes a template, where no CA certificate uses it; else says which do. */
export function DeleteTemplate({ template }: { template: Template }) {
  const { template_id: id, template_name } = template;
  const name = visible(template_name);
  const place = usePlace();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [isAsking, setAsking] = useState(false);
  const { data: all } = useQuery(caCertificates(place));
  const isBound = all?.some(({ template_id }) => template_id === id) ?? false;
  const close = () => setAsking(false);
  const confirm = async () => {
    await remove(place, id);
    notifications.show({ message: texts.template.deleted(name) });
    await navigate({
      to: "/instances/$instance/templates",
      params: { instance: place.instance },
      ignoreBlocker: true,
    });
    queries.removeQueries({ queryKey: ["templates", place.instance, id] });
    await queries.invalidateQueries({ queryKey: ["templates", place.instance] });
  };
  return (
    <>
      <Button variant="default" onClick={() => setAsking(true)}>
        {texts.template.delete}
      </Button>
      <ConfirmDialog
        opened={isAsking && !isBound}
        onClose={close}
        title={texts.template.deleteTitle(name)}
        consequence={<Text>{texts.template.deleteConsequence}</Text>}
        action={texts.template.delete}
        isDestructive
        onConfirm={confirm}
      />
      <Modal
        opened={isAsking && isBound}
        onClose={close}
        title={texts.template.deleteTitle(name)}
        closeButtonProps={{ "aria-label": texts.template.close }}
      >
        <Stack gap="md">
          <Text>{texts.template.deleteBound}</Text>
          <BoundTo id={id} />
        </Stack>
      </Modal>
    </>
  );
}
