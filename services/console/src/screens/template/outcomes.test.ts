import { expect, test } from "vitest";

import { groupsOf, losing } from "./outcomes";

const counts = {
  examined: 3111,
  unchanged: 3102,
  other_device: 3,
  collides: 1,
  no_device: 2,
  product_elsewhere: 1,
  not_by_template: 2,
  unreadable: 0,
};
const example = { device_id: "d", fingerprint: "00", reason: "because" };
const examples = { other_device: [], collides: [example], no_device: [], product_elsewhere: [] };

test("those that are refused lose access, those that register anew do not", () => {
  expect(losing(counts)).toBe(4);
});

test("each outcome that there is is shown once, the worst first", () => {
  const groups = groupsOf({ counts, examples });
  expect(groups.map(({ outcome, count, tone }) => [outcome, count, tone])).toEqual([
    ["no_device", 2, "bad"],
    ["collides", 1, "bad"],
    ["product_elsewhere", 1, "bad"],
    ["other_device", 3, "warn"],
    ["unchanged", 3102, "good"],
    ["not_by_template", 2, "muted"],
  ]);
  expect(groups.reduce((sum, { count }) => sum + count, 0)).toBe(counts.examined);
  expect(groups[1]?.examples).toEqual([example]);
});
