import { expect, test } from "vitest";

import { texts } from "../texts";
import { checkName } from "./Checks";

test("a check that the catalogue does not know is named as the API does", () => {
  expect(checkName("device_quota")).toBe(texts.checks.names.device_quota);
  expect(checkName("a_later_check")).toBe("A later check");
  expect(checkName("constructor")).toBe("Constructor");
});
