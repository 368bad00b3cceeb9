// @vitest-environment jsdom

import { expect, test } from "vitest";

import { codeOf } from "./CodePage";

test.each([
  ["ca_not_trusted.md", "ca_not_trusted"],
  ["IOTDA.014915.md", "IOTDA.014915"],
  ["in_use.md#what-to-do", "in_use"],
  ["../../reference/tls.md", undefined],
  ["README.md", undefined],
  ["javascript:alert(1)//.md", undefined],
])("%s leads to the code %s", (href, code) => {
  expect(codeOf(href)).toBe(code);
});
