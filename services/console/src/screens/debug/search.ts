/** What the URL of this screen carries. A certificate is too long for it; that of an attempt is named by the attempt. */
export interface DebugSearch {
  /** The position of the attempt whose certificate is debugged. */
  attempt?: number;
}

export function debugSearch(search: Record<string, unknown>): DebugSearch {
  const attempt = Number(search["attempt"]);
  return Number.isSafeInteger(attempt) && attempt > 0 ? { attempt } : {};
}
