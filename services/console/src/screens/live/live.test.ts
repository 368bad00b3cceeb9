import { describe as group, expect, it } from "vitest";

import type { LiveItem } from "../../kit/live/useLive";
import { texts } from "../../texts";
import { describe, holds, subjectOf, words } from "./describe";
import { kindsOf, liveSearch, named } from "./search";

const event = (type: string, body: Record<string, unknown>): LiveItem => ({
  kind: "event",
  key: "1",
  item: {
    type,
    body,
    actor: { operator: "ann" },
    cause: "c",
    position: 7,
    time: "2026-01-01T00:00:00Z",
    version: 1,
  } as never,
});
const refusal = (more: object): LiveItem => ({
  kind: "refusal",
  key: "2",
  item: {
    code: "ca_unknown",
    message: "no CA",
    position: 3,
    time: "2026-01-01T00:00:00Z",
    actor: "certificate ab",
    ...more,
  },
});

group("the URL", () => {
  it("names kinds, but not all of them", () => {
    expect(liveSearch({ kinds: "refusal,event,nothing", q: 42 })).toEqual({ q: "42", kinds: "event,refusal" });
    expect(liveSearch({ kinds: "presence,refusal,event" })).toEqual({});
    expect(named([])).toEqual({});
  });
  it("shows all where it names none", () => {
    expect(kindsOf({})).toEqual(["event", "refusal", "presence"]);
    expect(kindsOf({ kinds: "presence" })).toEqual(["presence"]);
  });
});

group("describe", () => {
  it("names events, those that it does not know as well", () => {
    expect(words("DeviceCertificatePinned")).toBe("Device certificate pinned");
    expect(words("CaVerified")).toBe("CA verified");
    expect(words("SomethingNew")).toBe("Something new");
  });

  it("finds what an event is about", () => {
    expect(subjectOf({ profile: { device: "d", product: "p" }, template: "t" })).toEqual({ kind: "device", id: "d" });
    expect(subjectOf({ policy: "p", target: { product: "x" } })).toEqual({ kind: "policy", id: "p" });
    expect(subjectOf({ ca: "c", template: "t" })).toEqual({ kind: "ca", id: "c" });
    expect(subjectOf({ space: "s", product: "p" })).toEqual({ kind: "product", id: "p" });
    expect(subjectOf({ certificate: { sha256: "x" } })).toBeUndefined();
  });

  it("says who asked and where it is kept", () => {
    expect(describe(event("DeviceFrozen", { device: "d" }))).toMatchObject({
      what: "Device frozen",
      subject: { kind: "device", id: "d" },
      detail: `${texts.live.byOperator("ann")} · ${texts.live.position(7)}`,
    });
  });

  it("leads from a refusal to its attempt, and to the device where there is one", () => {
    expect(describe(refusal({ certificate_device_id: "d", source: "192.0.2.1" }))).toMatchObject({
      code: "ca_unknown",
      attempt: 3,
      subject: { kind: "device", id: "d" },
      detail: `no CA · ${texts.live.from("192.0.2.1")}`,
    });
    expect(describe(refusal({ certificate: { subject: "CN=x" } }))).toMatchObject({ claimed: "CN=x", detail: "no CA" });
    expect(describe(refusal({})).claimed).toBe("certificate ab");
  });
});

group("holds", () => {
  it("looks for every word anywhere", () => {
    expect(holds(refusal({ source: "192.0.2.1" }), "CA_unknown 192.0")).toBe(true);
    expect(holds(refusal({}), "ca_unknown other")).toBe(false);
    expect(holds(event("DeviceFrozen", { device: "d" }), "frozen ann")).toBe(true);
  });
  it("always shows a gap", () => {
    const item = { kind: "event", reason: "another_log", message: "read anew" } as const;
    expect(holds({ kind: "gap", key: "1", item }, "x")).toBe(true);
  });
});
