import type { Schemas } from "../../api/client";

export interface Presence {
  device_id: string;
  online: boolean;
  /** RFC 3339, UTC. */
  at: string;
  connector?: string | null;
  source?: string | null;
}

/** Something may have been missed: who shows what is so reads it anew. */
export interface Gap {
  kind: LiveKind;
  reason: string;
  message: string;
}

/** What an instance's stream says. `key` is of this connection, for React. */
export type LiveItem =
  | { kind: "gap"; key: string; item: Gap }
  | { kind: "event"; key: string; item: Schemas["EventShown"] }
  | { kind: "refusal"; key: string; item: Schemas["AttemptShown"] }
  | { kind: "presence"; key: string; item: Presence };

export type LiveKind = "event" | "refusal" | "presence";
export const LIVE_KINDS: readonly LiveKind[] = ["event", "refusal", "presence"];

/** `cut`: the server has ended or refused it, and it is tried again after a while or when asked. */
export type LiveState = "connecting" | "connected" | "reconnecting" | "cut";

export interface LiveStatus {
  state: LiveState;
  /** What the operator hears, where that is known: refusals are only for those who may see the whole instance. */
  heard?: readonly LiveKind[];
}

/** As much of `EventSource` as is used. */
export interface Source {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

/** Pauses before a connection that the server has refused is tried again, ms; the last one for good. */
const PAUSES = [1_000, 2_000, 5_000, 10_000, 30_000] as const;
/** How long the connection stays for the next screen after the last part has left, ms. */
const LINGER = 5_000;
const CLOSED = 2;

/**
 * The one connection of this tab to an instance's stream, shared by all that listen. It brings all kinds, for another set would be another
 * connection. What the network cuts, the browser mends with `Last-Event-ID`; what the server ends, this does with the last marker. The
 * server knows what a marker of another log or of long ago has missed, and says so as a gap.
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
  status: LiveStatus = { state: "connecting" };

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
    this.tell("connecting");
  }

  private tell(state: LiveState, heard = this.status.heard) {
    if (state !== this.status.state || heard !== this.status.heard) {
      this.status = { state, ...(heard !== undefined && { heard }) };
      this.watchers.forEach((changed) => changed());
    }
  }

  private connect() {
    clearTimeout(this.timer);
    this.source?.close();
    const from = this.marker === "" ? "" : `?${new URLSearchParams({ marker: this.marker }).toString()}`;
    const source = this.open(this.url + from);
    this.source = source;
    const on = (type: string, act: (event: MessageEvent<string>) => void) =>
      source.addEventListener(type, (event) => {
        if (this.source === source) {
          act(event);
        }
      });
    on("open", () => {
      this.refusals = 0;
      this.tell("connected");
    });
    on("error", () => (source.readyState === CLOSED ? this.again() : this.tell("reconnecting")));
    on("opened", (event) => {
      const opened = this.read(event) as { kinds?: LiveKind[] } | undefined;
      this.tell("connected", opened?.kinds);
    });
    on("ended", () => this.again());
    for (const kind of [...LIVE_KINDS, "gap"] as const) {
      on(kind, (event) => {
        const item = this.read(event);
        if (item !== undefined) {
          this.count += 1;
          const heard = { kind, key: this.count.toString(), item } as LiveItem;
          this.items.forEach((hear) => hear(heard));
        }
      });
    }
  }

  private again() {
    this.source?.close();
    const pause = PAUSES[Math.min(this.refusals, PAUSES.length - 1)];
    this.refusals += 1;
    this.tell(this.refusals > 1 ? "cut" : "reconnecting");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), pause);
  }

  /** What an event says; absent where it was cut within, for then it comes again after the marker before it. */
  private read(event: MessageEvent<string>): unknown {
    let said: unknown;
    try {
      said = JSON.parse(event.data);
    } catch {
      return undefined;
    }
    if (event.lastEventId !== "") {
      this.marker = event.lastEventId;
    }
    return said;
  }
}
