import { Checkbox, Group, Text } from "@mantine/core";

import { LIVE_KINDS, type LiveKind } from "../../kit/live/stream";
import { SearchField } from "../../kit/SearchField";
import { texts } from "../../texts";
import { kindsOf, type LiveSearch, named } from "./search";

interface FiltersProps {
  search: LiveSearch;
  /** What the operator hears at all. */
  heard: readonly LiveKind[];
  onChange: (search: LiveSearch) => void;
}

/** Which items are shown; the URL has it. */
export function Filters({ search, heard, onChange }: FiltersProps) {
  const { q, kinds } = search;
  const text = q === undefined ? {} : { q };
  return (
    <Group gap="md" align="center">
      <SearchField
        value={q ?? ""}
        onChange={(next) => onChange({ ...(kinds !== undefined && { kinds }), ...(next !== "" && { q: next }) })}
        label={texts.live.search}
      />
      <Checkbox.Group
        value={[...kindsOf(search)]}
        onChange={(next) => onChange({ ...text, ...named(next) })}
        aria-label={texts.live.kind}
      >
        <Group gap="md">
          {LIVE_KINDS.map((kind) => (
            <Checkbox key={kind} value={kind} label={texts.live.filter[kind]} disabled={!heard.includes(kind)} />
          ))}
        </Group>
      </Checkbox.Group>
      {!heard.includes("refusal") && (
        <Text size="sm" c="var(--rc-muted)">
          {texts.live.noRefusals}
        </Text>
      )}
    </Group>
  );
}
