import type { Device } from "../queries";
import type { Action } from "./run";

/** What can be done to a device as it stands; one that is deleted can come back. */
export function available(device: Device | null): Action[] {
  if (device === null) {
    return ["readmit"];
  }
  const byCertificate = device.auth_info.auth_type === "CERTIFICATES";
  return [device.status === "FROZEN" ? "unfreeze" : "freeze", ...(byCertificate ? (["reset"] as const) : []), "delete"];
}

/** What became of the session that a device had when it was acted on. */
export type Session = "none" | "going" | "ended" | "stays";

/**
 * By what the API says of the device before and after. A frozen device is `FROZEN` whether its session is over or not,
 * so what tells the end is that the status of its connection has changed since.
 */
export function sessionOf(before: Device | null, now: Device | null | undefined, ends: boolean): Session {
  if (before?.status !== "ONLINE") {
    return "none";
  }
  if (now === null) {
    return "ended";
  }
  if (now === undefined) {
    return "going";
  }
  const isOver = now.status === "OFFLINE" || now.connection_status_update_time !== before.connection_status_update_time;
  if (isOver) {
    return "ended";
  }
  return ends ? "going" : "stays";
}
