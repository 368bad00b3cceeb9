import type { LiveItem } from "../../kit/live/useLive";
import { texts } from "../../texts";
import { actorOf } from "../device/timeline/timeline";

/** What an item is about, where the console has a screen of it. */
export type Subject = { kind: "device" | "policy" | "template" | "ca" | "product" | "space"; id: string };

/** An item as a row. */
export interface Row {
  key: string;
  kind: LiveItem["kind"];
  /** RFC 3339, UTC; absent of a gap. */
  time?: string;
  /** What happened, in words of the catalogue, or of the event's name where that has none. */
  what: string;
  /** Of a refusal. */
  code?: string;
  subject?: Subject;
  /** Of a refusal without a device: the certificate's Subject, or who asked. */
  claimed?: string;
  detail: string;
  /** Where the attempt is kept, of a refusal. */
  attempt?: number;
}

/** `DeviceRegistered` as "Device registered": an event that this console does not know yet has a name all the same. */
export function words(type: string): string {
  const found = type.replaceAll(/(?<!^)[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return found.replace(/^Ca /, "CA ");
}

/** Of two that an event names, the one that it is about comes first: a policy that is bound, a CA that has a template. */
const SUBJECTS = ["device", "policy", "ca", "template", "product", "space"] as const;

/** What an event is about, by the ids in its body. */
export function subjectOf(body: Record<string, unknown>): Subject | undefined {
  const profile = body["profile"];
  if (typeof profile === "object" && profile !== null && "device" in profile && typeof profile.device === "string") {
    return { kind: "device", id: profile.device };
  }
  for (const kind of SUBJECTS) {
    const id = body[kind];
    if (typeof id === "string") {
      return { kind, id };
    }
  }
  return undefined;
}

function actorText(actor: unknown): string {
  const found = actorOf(actor);
  if ("operator" in found) {
    return texts.live.byOperator(found.operator);
  }
  // A fingerprint's beginning tells two apart; the whole of it is in the device's history.
  return "certificate" in found ? texts.live.byCertificate(found.certificate.slice(0, 16)) : found.other;
}

export function describe(live: LiveItem): Row {
  const { key, kind, item } = live;
  switch (kind) {
    case "event": {
      const subject = subjectOf(item.body);
      const detail = `${actorText(item.actor)} · ${texts.live.position(item.position)}`;
      return { key, kind, time: item.time, what: words(item.type), ...(subject !== undefined && { subject }), detail };
    }
    case "refusal": {
      const device = item.device_id ?? item.certificate_device_id;
      const from = typeof item.source === "string" ? ` · ${texts.live.from(item.source)}` : "";
      const isDevice = typeof device === "string";
      return {
        key,
        kind,
        time: item.time,
        what: texts.live.refused,
        code: item.code,
        ...(isDevice
          ? { subject: { kind: "device", id: device } as const }
          : { claimed: item.certificate?.subject ?? item.actor }),
        detail: `${item.message}${from}`,
        attempt: item.position,
      };
    }
    case "presence":
      return {
        key,
        kind,
        time: item.at,
        what: item.online ? texts.live.online : texts.live.offline,
        subject: { kind: "device", id: item.device_id },
        detail: typeof item.connector === "string" ? texts.live.connector(item.connector) : "",
      };
    case "gap":
      return { key, kind, what: texts.live.gap[item.kind], detail: item.message };
  }
}

/** Whether an item holds every word, wherever in it; a gap is always shown, for it says that the list is not whole. */
export function holds(live: LiveItem, query: string): boolean {
  if (query === "" || live.kind === "gap") {
    return true;
  }
  const text = `${describe(live).what} ${JSON.stringify(live.item)}`.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
