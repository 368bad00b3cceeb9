import { Button, CloseButton, Group, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";

import { at, client, type Schemas } from "../../../api/client";
import { mayChange, useOperator } from "../../../api/session";
import { Failure } from "../../../kit/Failure";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import classes from "../device.module.css";
import { keyOf, type Target } from "../queries";

type Tag = Schemas["TagShown"];
const words = texts.device.tags;

/** The device's tags; who may change it puts tags on and takes them off. */
export function Tags({ target, tags }: { target: Target; tags: Tag[] }) {
  const queries = useQueryClient();
  const onSuccess = () => queries.invalidateQueries({ queryKey: keyOf(target) });
  const on = { headers: at(target.instance), params: { path: { project_id: target.project } } };
  const resource = { resource_type: "device", resource_id: target.device } as const;
  const bind = useMutation({
    mutationFn: (tag: Tag) =>
      client.POST("/v5/iot/{project_id}/tags/bind-resource", { ...on, body: { ...resource, tags: [tag] } }),
    onSuccess,
  });
  const unbind = useMutation({
    mutationFn: (key: string) =>
      client.POST("/v5/iot/{project_id}/tags/unbind-resource", { ...on, body: { ...resource, tag_keys: [key] } }),
    onSuccess,
  });
  const may = mayChange(useOperator());
  const error = bind.error ?? unbind.error;
  return (
    <>
      {tags.length === 0 && (
        <Text size="sm" c="var(--rc-muted)">
          {words.none}
        </Text>
      )}
      <ul className={classes["tags"]}>
        {tags.map(({ tag_key, tag_value }) => (
          <li key={tag_key} className={classes["tag"]}>
            <Text size="sm" component="span">
              <Untrusted text={`${tag_key}=${tag_value}`} />
            </Text>
            {may && (
              <CloseButton
                size="xs"
                aria-label={words.remove(tag_key)}
                disabled={unbind.isPending}
                onClick={() => unbind.mutate(tag_key)}
              />
            )}
          </li>
        ))}
      </ul>
      {may && <NewTag onAdd={(tag) => bind.mutateAsync(tag)} isAdding={bind.isPending} />}
      {error !== null && <Failure error={error} />}
    </>
  );
}

function NewTag({ onAdd, isAdding }: { onAdd: (tag: Tag) => Promise<unknown>; isAdding: boolean }) {
  const [tag, setTag] = useState({ tag_key: "", tag_value: "" });
  const add = (event: SubmitEvent) => {
    event.preventDefault();
    // A refusal is shown beside the tags, and what was typed stays.
    onAdd(tag).then(
      () => setTag({ tag_key: "", tag_value: "" }),
      () => undefined,
    );
  };
  return (
    <form onSubmit={add}>
      <Group gap="xs" mt="sm" align="flex-end">
        <TextInput
          size="xs"
          label={words.key}
          value={tag.tag_key}
          onChange={({ currentTarget: { value } }) => setTag({ ...tag, tag_key: value })}
        />
        <TextInput
          size="xs"
          label={words.value}
          value={tag.tag_value}
          onChange={({ currentTarget: { value } }) => setTag({ ...tag, tag_value: value })}
        />
        <Button type="submit" size="xs" variant="default" loading={isAdding} disabled={tag.tag_key === ""}>
          {words.add}
        </Button>
      </Group>
    </form>
  );
}
