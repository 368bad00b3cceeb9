// @vitest-environment jsdom

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { type LiveItem, LiveStream, type Source } from "./stream";
import { keep } from "./useLive";

/** An `EventSource` whose server is the test. */
class FakeSource implements Source {
  readonly url: string;
  readyState = 0;
  private readonly listeners = new Map<string, ((event: MessageEvent<string>) => void)[]>();

  constructor(url: string) {
    this.url = url;
  }
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void) {
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
  }
  close() {
    this.readyState = 2;
  }
  say(type: string, data: unknown = "", lastEventId = "") {
    this.sayRaw(type, JSON.stringify(data), lastEventId);
  }
  sayRaw(type: string, data: string, lastEventId: string) {
    const event = new MessageEvent<string>(type, { data, lastEventId });
    this.listeners.get(type)?.forEach((listener) => listener(event));
  }
  accept() {
    this.readyState = 1;
    this.say("open");
  }
  /** The network is gone: the browser connects again by itself. */
  drop() {
    this.readyState = 0;
    this.say("error");
  }
  /** The server answers with an error: the browser gives up. */
  refuse() {
    this.readyState = 2;
    this.say("error");
  }
  get marker() {
    return new URL(this.url, "https://api").searchParams.get("marker");
  }
}

let sources: FakeSource[];
let stream: LiveStream;
const last = () => sources.at(-1) as FakeSource;
const presence = (id: string) => ({ device_id: id, online: true, at: "2026-01-01T00:00:00Z" });

beforeEach(() => {
  vi.useFakeTimers();
  sources = [];
  stream = new LiveStream("north/1", (url) => {
    const source = new FakeSource(url);
    sources.push(source);
    return source;
  });
});
afterEach(() => vi.useRealTimers());

describe("LiveStream", () => {
  it("is one connection for all that listen", () => {
    const [one, other]: LiveItem[][] = [[], []];
    stream.listen((item) => one?.push(item));
    stream.listen((item) => other?.push(item));
    expect(sources.map(({ url }) => url)).toEqual(["/rollcall/v1/instances/north%2F1/stream"]);
    last().accept();
    last().say("presence", presence("a"), "m1");
    expect(one).toEqual([{ kind: "presence", key: "1", item: presence("a") }]);
    expect(other).toEqual(one);
  });

  it("tells its state, each change once", () => {
    const states: string[] = [];
    stream.watch(() => states.push(stream.status.state));
    stream.listen(() => undefined);
    last().accept();
    last().drop();
    last().drop();
    last().accept();
    expect(states).toEqual(["connected", "reconnecting", "connected"]);
    // The browser does that, with `Last-Event-ID`.
    expect(sources).toHaveLength(1);
  });

  it("goes on at its marker after the server has ended it", () => {
    stream.listen(() => undefined);
    last().accept();
    last().say("presence", presence("a"), "m1");
    last().say("ended", { reason: "shutting_down" });
    expect(stream.status.state).toBe("reconnecting");
    vi.advanceTimersByTime(1_000);
    expect(last().marker).toBe("m1");
    last().accept();
    expect(stream.status.state).toBe("connected");
  });

  it("is cut where the server refuses it, until it is asked or time has passed", () => {
    stream.listen(() => undefined);
    last().refuse();
    vi.advanceTimersByTime(1_000);
    last().refuse();
    expect(stream.status.state).toBe("cut");
    expect(sources).toHaveLength(2);
    stream.retry();
    expect(sources).toHaveLength(3);
    last().accept();
    expect(stream.status.state).toBe("connected");
    vi.advanceTimersByTime(60_000);
    expect(sources).toHaveLength(3);
  });

  it("keeps its marker however long the server is away, before the first item too", () => {
    stream.listen(() => undefined);
    last().accept();
    last().say("opened", { marker: "m0", kinds: ["event"] }, "m0");
    for (const pause of [1_000, 2_000, 5_000, 10_000, 30_000, 30_000]) {
      last().refuse();
      vi.advanceTimersByTime(pause);
      expect(last().marker).toBe("m0");
    }
  });

  it("knows what it hears, and passes on what may be missing", () => {
    const heard: LiveItem[] = [];
    stream.listen((item) => heard.push(item));
    last().accept();
    last().say("opened", { marker: "m0", kinds: ["event", "presence"] }, "m0");
    expect(stream.status).toEqual({ state: "connected", heard: ["event", "presence"] });
    const gap = { kind: "presence", reason: "lagged", message: "read who is online now" };
    last().say("gap", gap, "m1");
    expect(heard).toEqual([{ kind: "gap", key: "1", item: gap }]);
  });

  it("takes no marker of an item that it could not read", () => {
    const heard: LiveItem[] = [];
    stream.listen((item) => heard.push(item));
    last().accept();
    last().say("presence", presence("a"), "m1");
    last().sayRaw("presence", '{"device_id": "b', "m2");
    last().say("ended", {});
    vi.advanceTimersByTime(1_000);
    expect(heard).toHaveLength(1);
    expect(last().marker).toBe("m1");
  });

  it("hears nothing of a connection that it has left", () => {
    const heard: LiveItem[] = [];
    stream.listen((item) => heard.push(item));
    const first = last();
    first.accept();
    stream.retry();
    first.say("presence", presence("a"), "m1");
    expect(heard).toEqual([]);
  });

  it("closes when the last has left, but not between two screens", () => {
    const leave = stream.listen(() => undefined);
    leave();
    vi.advanceTimersByTime(1_000);
    const leaveNext = stream.listen(() => undefined);
    vi.advanceTimersByTime(10_000);
    expect(sources).toHaveLength(1);
    expect(last().readyState).toBe(0);
    leaveNext();
    vi.advanceTimersByTime(10_000);
    expect(last().readyState).toBe(2);
  });
});

describe("keep", () => {
  it("keeps the newest, and what comes while paused apart", () => {
    const item = (key: string): LiveItem => ({ kind: "presence", key, item: presence(key) });
    let kept = { instance: "n", items: [], waiting: [] } as Parameters<typeof keep>[0];
    for (const key of ["1", "2", "3"]) {
      kept = keep(kept, item(key), false, 2);
    }
    kept = keep(kept, item("4"), true, 2);
    expect(kept.items.map(({ key }) => key)).toEqual(["3", "2"]);
    expect(kept.waiting.map(({ key }) => key)).toEqual(["4"]);
  });
});
