// @vitest-environment jsdom

import { afterEach, beforeEach, expect, test, vi } from "vitest";

beforeEach(() => vi.useFakeTimers({ toFake: ["Date"] }));
afterEach(() => vi.useRealTimers());

test("a page is attended until nobody has touched it for a minute", async () => {
  const { isAttended } = await import("./attendance");
  expect(isAttended()).toBe(true);
  vi.setSystemTime(Date.now() + 60_000);
  expect(isAttended()).toBe(false);
  for (const touch of ["keydown", "pointermove", "click"]) {
    window.dispatchEvent(new Event(touch));
    expect(isAttended()).toBe(true);
    vi.setSystemTime(Date.now() + 60_000);
    expect(isAttended()).toBe(false);
  }
});

test("what a page asks by itself says so, and a change never does", async () => {
  const { client } = await import("./client");
  const sent: Request[] = [];
  const fetched = async (request: Request) => {
    sent.push(request);
    return Promise.resolve(Response.json({}));
  };
  vi.setSystemTime(Date.now() + 3_600_000);
  await client.GET("/rollcall/v1/me", { fetch: fetched });
  await client.DELETE("/rollcall/v1/session", { fetch: fetched });
  window.dispatchEvent(new Event("keydown"));
  await client.GET("/rollcall/v1/me", { fetch: fetched });
  expect(sent.map((request) => request.headers.get("X-Rollcall-Unattended"))).toEqual(["1", null, null]);
});
