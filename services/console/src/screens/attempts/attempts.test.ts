import { expect, test } from "vitest";

import { type Attempt, certificates, groupOfShown, isOf } from "./groups";
import { type Outcome, replayAll } from "./replay";
import { attemptsSearch, groupOf } from "./search";

function attempt(position: number, more: Partial<Attempt> = {}): Attempt {
  const time = `2026-11-28T19:01:${position.toString().padStart(2, "0")}Z`;
  return { position, time, code: "certificate_attribute", message: "m", actor: "certificate ab", ...more };
}

const of = (fingerprint: string, ca?: string) => ({
  certificate: { fingerprint, subject: `CN=${fingerprint}`, ...(ca !== undefined && { ca_certificate_id: ca }) },
});

test("a group of the API names what it has, and is one with the attempts in it", () => {
  const group = groupOfShown({
    code: "certificate_attribute",
    certificate_id: "ca",
    ca_name: "Demo CA",
    template_id: null,
    source: "10.0.0.1",
    count: 3,
    certificates: 2,
    devices: 0,
    first_at: "2026-11-28T19:01:05Z",
    last_at: "2026-11-28T19:01:09Z",
    last_position: 9,
  });
  expect(group).toMatchObject({ ca: "ca", caName: "Demo CA", source: "10.0.0.1", count: 3 });
  expect("template" in group).toBe(false);
  expect(isOf(attempt(9, { ...of("a", "ca"), source: "10.0.0.1" }), group)).toBe(true);
  expect(isOf(attempt(8, { ...of("b", "ca"), source: "10.0.0.2" }), group)).toBe(false);
  const byTemplate = attempt(6, { ...of("a", "ca"), source: "10.0.0.1", template: { template_id: "t", version: 1 } });
  expect(isOf(byTemplate, group)).toBe(false);
});

test("a group that names no source has only attempts without one", () => {
  expect(isOf(attempt(1), { code: "certificate_attribute" })).toBe(true);
  expect(isOf(attempt(1, { source: "10.0.0.1" }), { code: "certificate_attribute" })).toBe(false);
});

test("a certificate is there once, with its last attempt and how often it was refused", () => {
  const found = certificates([attempt(3, of("a")), attempt(2, of("b")), attempt(1, of("a")), attempt(0)]);
  expect(found.map(({ fingerprint, last, count }) => [fingerprint, last.position, count])).toEqual([
    ["a", 3, 2],
    ["b", 2, 1],
  ]);
});

test("a refusal in the middle of a replay stops nothing, and a stop does", async () => {
  const told: [number, Outcome["accepted"]][] = [];
  await replayAll(
    [3, 2, 1, 0],
    (position) =>
      position === 2 ? Promise.reject(new Error("still refused")) : Promise.resolve({ accepted: true, position: 400 }),
    (position, { accepted }) => told.push([position, accepted]),
    () => told.length === 3,
  );
  expect(told).toEqual([
    [3, true],
    [2, false],
    [1, true],
  ]);
});

test("the URL names a group, or none", () => {
  expect(groupOf(attemptsSearch({ code: "a", source: "10.0.0.1", hours: 1, x: 2 }))).toEqual({
    code: "a",
    source: "10.0.0.1",
  });
  expect(groupOf(attemptsSearch({ source: "10.0.0.1" }))).toBeUndefined();
  expect(attemptsSearch({ hours: 24 })).toEqual({});
  expect(attemptsSearch({ hours: 25, code: ["a"] })).toEqual({});
});
