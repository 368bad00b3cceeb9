import type { Activity } from "./queries";

/** Minutes that are shown. */
export const MINUTES = 60;

export interface Hour {
  /** Seconds since 1970, one for each minute, ascending; the last is the minute that runs. */
  times: number[];
  registrations: number[];
  refusals: number[];
}

/** The last hour minute by minute: the API leaves out those in which nothing happened. */
export function lastHour({ minutes }: Activity, now: Date): Hour {
  const known = new Map(minutes.map((minute) => [Math.floor(Date.parse(minute.minute) / 60_000), minute]));
  const last = Math.floor(now.getTime() / 60_000);
  const all = Array.from({ length: MINUTES }, (_, at) => last - MINUTES + 1 + at);
  return {
    times: all.map((minute) => minute * 60),
    registrations: all.map((minute) => known.get(minute)?.registrations ?? 0),
    refusals: all.map((minute) => known.get(minute)?.refusals ?? 0),
  };
}

/** `20151212T121212Z`, which v5 parameters are written in. */
export function basicTime(date: Date): string {
  return date.toISOString().replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
}
