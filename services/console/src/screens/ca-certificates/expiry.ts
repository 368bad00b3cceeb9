import { parseTime } from "../../kit/Time";

/** Days before its end from which on a CA certificate is warned of. */
const SOON_DAYS = 30;

export type Expiry = "good" | "soon" | "ended" | "unknown";

/** How near the end of a certificate is. */
export function expiryOf(expiryDate: string, now: Date): Expiry {
  const end = parseTime(expiryDate);
  if (end === undefined) {
    return "unknown";
  }
  const left = end.getTime() - now.getTime();
  return left <= 0 ? "ended" : left < SOON_DAYS * 86_400_000 ? "soon" : "good";
}
