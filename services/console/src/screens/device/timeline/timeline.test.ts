import { expect, test } from "vitest";

import { actorOf, type Attempt, certificateIn, type Event, timeline } from "./timeline";

const event = (position: number, time: string, body = {}): Event => ({
  position,
  time,
  type: "DeviceUpdated",
  version: 1,
  cause: "c",
  actor: {},
  body,
});
const attempt = (position: number, time: string): Attempt => ({
  position,
  time,
  code: "device_frozen",
  message: "the device is frozen",
  actor: "certificate ab",
});

test("events and attempts are one history by time, whatever their positions", () => {
  const entries = timeline(
    { items: [event(313, "2026-11-28T19:03:00Z"), event(9, "2026-11-28T19:01:00Z")], hasMore: false },
    { items: [attempt(3, "2026-11-28T19:02:00.5Z")], hasMore: false },
  );
  expect(entries.map(({ key }) => key)).toEqual(["event 313", "attempt 3", "event 9"]);
});

test("nothing is shown behind the end of a list that has more", () => {
  const entries = timeline(
    { items: [event(9, "2026-11-28T19:09:00Z"), event(5, "2026-11-28T19:05:00Z")], hasMore: true },
    { items: [attempt(2, "2026-11-28T19:07:00Z"), attempt(1, "2026-11-28T19:01:00Z")], hasMore: false },
  );
  expect(entries.map(({ key }) => key)).toEqual(["event 9", "attempt 2", "event 5"]);
});

test("nothing is shown before the first page of a list has brought something, if it has more", () => {
  const entries = timeline(
    { items: [], hasMore: true },
    { items: [attempt(1, "2026-11-28T19:01:00Z")], hasMore: false },
  );
  expect(entries).toEqual([]);
});

test("who decided is read from both forms", () => {
  expect(actorOf({ operator: "admin" })).toEqual({ operator: "admin" });
  expect(actorOf({ certificate: "ab12" })).toEqual({ certificate: "ab12" });
  expect(actorOf("operator eve\nand more")).toEqual({ operator: "eve\nand more" });
  expect(actorOf("certificate ab12")).toEqual({ certificate: "ab12" });
  expect(actorOf("registrar")).toEqual({ other: "registrar" });
});

test("a certificate's validity is in the event that pinned it", () => {
  const events = [
    event(2, "2026-11-28T19:02:00Z"),
    event(1, "2026-11-28T19:01:00Z", {
      certificate: {
        sha256: "ab",
        subject: "CN=a",
        not_before: "2026-01-01T00:00:00Z",
        not_after: "2027-01-01T00:00:00Z",
      },
    }),
  ];
  expect(certificateIn(events, "ab")).toEqual({
    subject: "CN=a",
    notBefore: "2026-01-01T00:00:00Z",
    notAfter: "2027-01-01T00:00:00Z",
  });
  expect(certificateIn(events, "cd")).toBeUndefined();
});
