import { expect, test } from "vitest";

import { signInSearch } from "./search";

test("one comes back to a path of this console and to no other address", () => {
  const path = "/instances/north/devices?state=online#top";
  expect(signInSearch({ to: path })).toEqual({ to: path });
  for (const to of ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "", 1, null]) {
    expect(signInSearch({ to })).toEqual({});
  }
});
