import type { Schemas } from "../../../api/client";

export type Event = Schemas["EventShown"];
export type Attempt = Schemas["AttemptShown"];

/** Something that happened to a device, or was refused it. Their positions are of two logs and say nothing of each other. */
export type Entry = { time: string; key: string } & (
  { kind: "event"; event: Event } | { kind: "attempt"; attempt: Attempt }
);

/** One of the two lists, newest first, as far as it has been read. */
interface ReadSoFar<Item> {
  items: Item[];
  /** Whether there is more that is older. */
  hasMore: boolean;
}

const instant = (time: string) => new Date(time).getTime();

/**
 * Both lists as one, newest first. What is older than the end of a list that has more is left out: something not read
 * yet may lie between.
 */
export function timeline(events: ReadSoFar<Event>, attempts: ReadSoFar<Attempt>): Entry[] {
  const entries: Entry[] = [
    ...events.items.map(
      (event) => ({ kind: "event", time: event.time, key: `event ${event.position}`, event }) as const,
    ),
    ...attempts.items.map(
      (attempt) => ({ kind: "attempt", time: attempt.time, key: `attempt ${attempt.position}`, attempt }) as const,
    ),
  ];
  const known = Math.max(
    ...[events, attempts]
      .filter(({ hasMore }) => hasMore)
      .map(({ items }) => instant(items.at(-1)?.time ?? "9999-12-31T00:00:00Z")),
  );
  return entries
    .filter(({ time }) => instant(time) >= known)
    .sort((a, b) => instant(b.time) - instant(a.time) || b.key.localeCompare(a.key));
}

/** Who decided: an operator by name, or the certificate of a device. */
export type Actor = { operator: string } | { certificate: string } | { other: string };

/** Of an event's `actor`, or of an attempt's, which is a text. */
export function actorOf(actor: unknown): Actor {
  if (typeof actor === "object" && actor !== null) {
    const { operator, certificate } = actor as { operator?: unknown; certificate?: unknown };
    if (typeof operator === "string") {
      return { operator };
    }
    return typeof certificate === "string" ? { certificate } : { other: JSON.stringify(actor) };
  }
  const [, kind, name = ""] = (typeof actor === "string" && /^(operator|certificate) (.*)$/s.exec(actor)) || [];
  if (kind === "operator") {
    return { operator: name };
  }
  return kind === "certificate" ? { certificate: name } : { other: String(actor) };
}

/** What a device's own history says of a certificate that it has or had. */
export interface KnownCertificate {
  subject: string | undefined;
  notBefore: string | undefined;
  notAfter: string | undefined;
}

/** A certificate by its SHA-256, from the events that tell it. */
export function certificateIn(events: Event[], sha256: string): KnownCertificate | undefined {
  const text = (value: unknown) => (typeof value === "string" ? value : undefined);
  for (const { body } of events) {
    const certificate = (body as { certificate?: unknown }).certificate;
    if (typeof certificate === "object" && certificate !== null) {
      const { sha256: found, subject, not_before, not_after } = certificate as Record<string, unknown>;
      if (found === sha256) {
        return { subject: text(subject), notBefore: text(not_before), notAfter: text(not_after) };
      }
    }
  }
  return undefined;
}
