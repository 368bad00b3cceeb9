import type { Schemas } from "../../api/client";

export interface Presence {
  device_id: string;
  online: boolean;
  /** RFC 3339, UTC. */
  at: string;
  connector?: string | null;
  source?: string | null;
}

/** What an instance's stream says. `key` is of this connection, for React. */
export type LiveItem =
  | { kind: "event"; key: string; item: Schemas["EventShown"] }
  | { kind: "refusal"; key: string; item: Schemas["AttemptShown"] }
  | { kind: "presence"; key: string; item: Presence };

export type LiveKind = LiveItem["kind"];
export const LIVE_KINDS: readonly LiveKind[] = ["event", "refusal", "presence"];

/** `cut`: the server has ended or refused it, and it is tried again after a while or when asked. */
export type LiveState = "connecting" | "connected" | "reconnecting" | "cut";

export interface LiveStatus {
  state: LiveState;
  /** Whether it had to begin anew instead of where it was cut, so that something between may be missing. */
  hasGap: boolean;
}

/** As much of `EventSource` as is used. */
export interface Source {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

/** Pauses before a connection that the server has refused is tried again, ms; the last one for good. */
const PAUSES = [1_000, 2_000, 5_000, 10_000, 30_000] as const;
/** So many refusals of a marker, and the stream begins anew: what it names may be gone. */
const REFUSALS_MAX = 3;
/** How long the connection stays for the next screen after the last part has left, ms. */
const LINGER = 5_000;
const CLOSED = 2;

/**
 * The one connection of this tab to an instance's stream, shared by all that listen. It brings all kinds, for another set would be another
 * connection. What the network cuts, the browser mends with `Last-Event-ID`; what the server ends, this does with the last marker.
 */
export class LiveStream {
  private readonly url: string;
  private readonly open: (url: string) => Source;
  private readonly items = new Set<(item: LiveItem) => void>();
  private readonly watchers = new Set<() => void>();
  private source: Source | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private marker = "";
  private count = 0;
  private refusals = 0;
  /** What `useSyncExternalStore` compares by identity. */
  status: LiveStatus = { state: "connecting", hasGap: false };

  constructor(instance: string, open: (url: string) => Source) {
    this.url = `/rollcall/v1/instances/${encodeURIComponent(instance)}/stream`;
    this.open = open;
  }

  /** Hears every item from now on, until the answer is called. */
  listen(hear: (item: LiveItem) => void): () => void {
    this.items.add(hear);
    if (this.source === undefined) {
      this.connect();
    }
    return () => {
      this.items.delete(hear);
      setTimeout(() => {
        if (this.items.size === 0) {
          this.stop();
        }
      }, LINGER);
    };
  }

  watch = (changed: () => void): (() => void) => {
    this.watchers.add(changed);
    return () => this.watchers.delete(changed);
  };

  /** Connects now instead of after the pause. */
  retry = () => {
    this.refusals = 0;
    this.connect();
  };

  private stop() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = undefined;
    // Nobody has missed what came since, and the next one hears from then on.
    this.marker = "";
    this.tell({ state: "connecting", hasGap: false });
  }

  private tell(change: Partial<LiveStatus>) {
    const next = { ...this.status, ...change };
    if (next.state !== this.status.state || next.hasGap !== this.status.hasGap) {
      this.status = next;
      this.watchers.forEach((changed) => changed());
    }
  }

  private connect() {
    clearTimeout(this.timer);
    this.source?.close();
    if (this.refusals >= REFUSALS_MAX && this.marker !== "") {
      this.marker = "";
      this.tell({ hasGap: true });
    }
    const query = new URLSearchParams({ kinds: LIVE_KINDS.join(",") });
    if (this.marker !== "") {
      query.set("marker", this.marker);
    }
    const source = this.open(`${this.url}?${query.toString()}`);
    this.source = source;
    const of = (act: (event: MessageEvent<string>) => void) => (event: MessageEvent<string>) => {
      if (this.source === source) {
        act(event);
      }
    };
    source.addEventListener(
      "open",
      of(() => {
        this.refusals = 0;
        this.tell({ state: "connected" });
      }),
    );
    source.addEventListener(
      "error",
      of(() => (source.readyState === CLOSED ? this.again() : this.tell({ state: "reconnecting" }))),
    );
    source.addEventListener(
      "end",
      of(() => this.again()),
    );
    for (const kind of LIVE_KINDS) {
      source.addEventListener(
        kind,
        of((event) => this.hear(kind, event)),
      );
    }
  }

  private again() {
    this.source?.close();
    const pause = PAUSES[Math.min(this.refusals, PAUSES.length - 1)];
    this.refusals += 1;
    this.tell({ state: this.refusals > 1 ? "cut" : "reconnecting" });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), pause);
  }

  private hear(kind: LiveKind, event: MessageEvent<string>) {
    if (event.lastEventId !== "") {
      this.marker = event.lastEventId;
    }
    let item: unknown;
    try {
      item = JSON.parse(event.data);
    } catch {
      // A half-written item: the connection is cut, and the marker brings it again.
      return;
    }
    this.count += 1;
    const heard = { kind, key: this.count.toString(), item } as LiveItem;
    this.items.forEach((hear) => hear(heard));
  }
}
