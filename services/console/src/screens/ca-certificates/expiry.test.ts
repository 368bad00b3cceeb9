import { expect, test } from "vitest";

import { expiryOf } from "./expiry";

const now = new Date("2026-11-28T12:00:00Z");

test("a certificate's end is told from the day on that is thirty days before it", () => {
  expect(expiryOf("20261228T120000Z", now)).toBe("good");
  expect(expiryOf("20261228T115959Z", now)).toBe("soon");
  expect(expiryOf("20261128T120000Z", now)).toBe("ended");
  expect(expiryOf("99991231T235959Z", now)).toBe("good");
  expect(expiryOf("soon", now)).toBe("unknown");
});
