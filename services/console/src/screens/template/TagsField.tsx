import { Button, Group, Text } from "@mantine/core";

import { texts } from "../../texts";
import type { Source, Tag } from "./form";
import { SourceField } from "./SourceField";
import classes from "./TemplateScreen.module.css";

/** Tags that one device may have. */
const TAGS_MAX = 10;

interface TagsFieldProps {
  tags: Tag[];
  readOnly: boolean;
  onChange: (index: number, part: "tag_key" | "tag_value", source: Source) => void;
  onAdd: () => void;
  onRemove: (index: number) => void;
}

export function TagsField({ tags, readOnly, onChange, onAdd, onRemove }: TagsFieldProps) {
  return (
    <div>
      {tags.map(({ index, key, value }, place) => (
        <div key={index} role="group" aria-label={texts.template.tag(place + 1)} className={classes["tag"]}>
          <SourceField
            label={texts.template.tagKey(place + 1)}
            source={key}
            onChange={(source) => onChange(index, "tag_key", source)}
            mayBeText
            isRequired
          />
          <SourceField
            label={texts.template.tagValue(place + 1)}
            source={value}
            onChange={(source) => onChange(index, "tag_value", source)}
            mayBeText
            isRequired
          />
          {!readOnly && (
            <Button
              variant="subtle"
              size="compact-sm"
              mt="1.9rem"
              aria-label={texts.template.removeTag(place + 1)}
              onClick={() => onRemove(index)}
            >
              {texts.template.remove}
            </Button>
          )}
        </div>
      ))}
      {!readOnly && (
        <Group mt="xs" gap="sm">
          <Button variant="default" size="compact-sm" disabled={tags.length >= TAGS_MAX} onClick={onAdd}>
            {texts.template.addTag}
          </Button>
          {tags.length >= TAGS_MAX && (
            <Text size="sm" c="var(--rc-muted)">
              {texts.template.tagsFull}
            </Text>
          )}
        </Group>
      )}
    </div>
  );
}
