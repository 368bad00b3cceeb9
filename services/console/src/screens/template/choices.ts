import type { Space } from "../../api/lists";
import { visible } from "../../kit/Untrusted";

export interface Choice {
  value: string;
  label: string;
}

export interface Choices {
  group: string;
  items: Choice[];
}

/** What can be chosen, below the names of the resource spaces; each in the order of the list. */
export function bySpace<Entry extends { app_id: string }>(
  entries: readonly Entry[],
  spaces: readonly Space[] | undefined,
  choice: (entry: Entry) => Choice,
): Choices[] {
  const groups = new Map<string, Choice[]>();
  for (const entry of entries) {
    const items = groups.get(entry.app_id) ?? [];
    groups.set(entry.app_id, [...items, choice(entry)]);
  }
  return [...groups].map(([id, items]) => ({ group: spaceName(id, spaces), items }));
}

/** A space's name, or its id until the names are there. */
export function spaceName(id: string, spaces: readonly Space[] | undefined): string {
  return visible(spaces?.find(({ app_id }) => app_id === id)?.app_name ?? id);
}
