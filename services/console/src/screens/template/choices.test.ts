import { expect, test } from "vitest";

import { bySpace } from "./choices";

const space = (app_id: string, app_name: string) => ({ app_id, app_name, create_time: "", default_app: false });
const choice = ({ id }: { id: string }) => ({ value: id, label: id });

test("choices are below the names of their spaces, in the order of the list", () => {
  const entries = [
    { app_id: "a", id: "1" },
    { app_id: "b", id: "2" },
    { app_id: "a", id: "3" },
  ];
  expect(bySpace(entries, [space("a", "Vehi\u202ecles")], choice)).toEqual([
    { group: "Vehi⟨U+202E⟩cles", items: [choice({ id: "1" }), choice({ id: "3" })] },
    { group: "b", items: [choice({ id: "2" })] },
  ]);
});
