import type { Schemas } from "../../api/client";
import type { GroupKey } from "./search";

export type Attempt = Schemas["AttemptShown"];

/** Attempts that were refused alike. */
export interface Group extends GroupKey {
  /** The CN of the CA certificate while it is there, else its id. */
  caName: string | undefined;
  count: number;
  /** Certificates among them. */
  certificates: number;
  firstAt: string;
  lastAt: string;
}

/** What an attempt was refused with and where it came from. */
export function keyOf({ code, certificate, template, source }: Attempt): GroupKey {
  const ca = certificate?.ca_certificate_id;
  return {
    code,
    ...(typeof ca === "string" && { ca }),
    ...(template !== null && template !== undefined && { template: template.template_id }),
    ...(typeof source === "string" && { source }),
  };
}

/** A group's key as a text, by which it is told from the others. */
export function nameOf({ code, ca, template, source }: GroupKey): string {
  return JSON.stringify([code, ca ?? null, template ?? null, source ?? null]);
}

/** Whether an attempt is of a group. */
export function isOf(attempt: Attempt, group: GroupKey): boolean {
  return nameOf(keyOf(attempt)) === nameOf(group);
}

/** A group as the API tells it; what it names none of is left out. */
export function groupOfShown(shown: Schemas["AttemptGroupShown"]): Group {
  const { code, certificate_id, ca_name, template_id, source, count, certificates, first_at, last_at } = shown;
  return {
    code,
    ...(typeof certificate_id === "string" && { ca: certificate_id }),
    ...(typeof template_id === "string" && { template: template_id }),
    ...(typeof source === "string" && { source }),
    caName: ca_name ?? certificate_id ?? undefined,
    count,
    certificates,
    firstAt: first_at,
    lastAt: last_at,
  };
}

/** One certificate among attempts, with the last of its attempts. */
export interface Refused {
  fingerprint: string;
  subject: string;
  device: string | undefined;
  last: Attempt;
  count: number;
}

/** The certificates of attempts that are newest first; those without one are left out. */
export function certificates(attempts: Attempt[]): Refused[] {
  const found = new Map<string, Refused>();
  for (const attempt of attempts) {
    const { certificate } = attempt;
    if (certificate !== null && certificate !== undefined) {
      const known = found.get(certificate.fingerprint);
      if (known !== undefined) {
        known.count += 1;
      } else {
        const device = attempt.certificate_device_id ?? attempt.device_id ?? undefined;
        found.set(certificate.fingerprint, { ...certificate, device, last: attempt, count: 1 });
      }
    }
  }
  return [...found.values()];
}
