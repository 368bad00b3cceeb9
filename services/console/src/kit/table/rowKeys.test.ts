import { expect, it } from "vitest";

import { nextSort } from "./columns";
import { nextRow } from "./rowKeys";

it("goes through rows and stays within them", () => {
  expect(nextRow("j", -1, 3)).toBe(0);
  expect(nextRow("j", 2, 3)).toBe(2);
  expect(nextRow("k", -1, 3)).toBe(0);
  expect(nextRow("k", 2, 3)).toBe(1);
  expect(nextRow("End", 0, 3)).toBe(2);
  expect(nextRow("x", 0, 3)).toBeUndefined();
  expect(nextRow("j", -1, 0)).toBeUndefined();
});

it("sorts ascending first, then the other way", () => {
  expect(nextSort(undefined, "name")).toEqual({ by: "name", isDescending: false });
  expect(nextSort({ by: "name", isDescending: false }, "name")).toEqual({ by: "name", isDescending: true });
  expect(nextSort({ by: "name", isDescending: true }, "name")).toEqual({ by: "name", isDescending: false });
  expect(nextSort({ by: "id", isDescending: false }, "name")).toEqual({ by: "name", isDescending: false });
});
