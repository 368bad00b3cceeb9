import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";

import type { Template } from "../../api/lists";
import { usePlace } from "../../api/place";
import { DeleteButton } from "../../kit/DeleteButton";
import { visible } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { remove } from "./queries";

/** Deletes a template, where no CA certificate uses it; else says which do. */
export function DeleteTemplate({ template }: { template: Template }) {
  const { template_id: id, template_name } = template;
  const name = visible(template_name);
  const place = usePlace();
  const queries = useQueryClient();
  const navigate = useNavigate();
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
  const words = {
    open: texts.template.delete,
    title: texts.template.deleteTitle(name),
    consequence: texts.template.deleteConsequence,
    submit: texts.template.delete,
  };
  return (
    <DeleteButton
      words={words}
      instance={place.instance}
      doomed={{ kind: "template", template: id }}
      onConfirm={confirm}
    />
  );
}
