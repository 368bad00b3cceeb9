import { expect, test } from "vitest";

import type { Device } from "../queries";
import { available, sessionOf } from "./available";

const device = (status: string, changed?: string): Device => ({
  app_id: "a",
  app_name: "A",
  auth_info: { auth_type: "CERTIFICATES", secure_access: true, timeout: 0 },
  create_time: "20261128T190117Z",
  device_id: "d",
  gateway_id: "d",
  modules: [],
  node_id: "n",
  node_type: "GATEWAY",
  product_id: "p",
  product_name: "P",
  status,
  tags: [],
  ...(changed !== undefined && { connection_status_update_time: changed }),
});

test("a device is frozen or unfrozen, never both, and only one that is gone is readmitted", () => {
  expect(available(device("ONLINE"))).toEqual(["freeze", "reset", "delete"]);
  expect(available(device("FROZEN"))).toEqual(["unfreeze", "reset", "delete"]);
  expect(available(null)).toEqual(["readmit"]);
});

test("a device without a certificate has no fingerprint to reset", () => {
  const bySecret = { ...device("INACTIVE"), auth_info: { auth_type: "SECRET", secure_access: true, timeout: 0 } };
  expect(available(bySecret)).toEqual(["freeze", "delete"]);
});

test("the session of a frozen device is over when its connection's status has changed", () => {
  const before = device("ONLINE", "2026-11-28T19:01:00Z");
  expect(sessionOf(before, undefined, true)).toBe("going");
  expect(sessionOf(before, device("FROZEN", "2026-11-28T19:01:00Z"), true)).toBe("going");
  expect(sessionOf(before, device("FROZEN", "2026-11-28T19:02:00Z"), true)).toBe("ended");
  expect(sessionOf(before, null, true)).toBe("ended");
});

test("who had no session loses none, and an action that ends none leaves it", () => {
  expect(sessionOf(device("OFFLINE"), device("FROZEN"), true)).toBe("none");
  const before = device("ONLINE", "2026-11-28T19:01:00Z");
  expect(sessionOf(before, before, false)).toBe("stays");
});
