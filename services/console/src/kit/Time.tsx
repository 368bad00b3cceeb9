import { texts } from "../texts";

/** Of `20151212T121212Z` or RFC 3339. */
export function parseTime(text: string): Date | undefined {
  const basic = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  const date = new Date(
    basic === null ? text : text.replace(basic[0], `${basic.slice(1, 4).join("-")}T${basic.slice(4).join(":")}Z`),
  );
  return Number.isNaN(date.getTime()) ? undefined : date;
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

/** How long ago or ahead, in the largest whole unit. */
export function relative(date: Date, now: Date): string {
  const seconds = Math.round((date.getTime() - now.getTime()) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return new Intl.RelativeTimeFormat(texts.locale, { numeric: "auto" }).format(Math.trunc(seconds / size), unit);
}

const DAY = new Intl.DateTimeFormat(texts.locale, { dateStyle: "medium" });

/**
 * How long ago or ahead a time is, with the whole of it in UTC for who points at it. `dated`: the day comes first, for what
 * is weeks away and is planned by, such as the end of a certificate.
 */
export function Time({ at, dated = false }: { at: string; dated?: boolean }) {
  const date = parseTime(at);
  if (date === undefined) {
    return <>{at}</>;
  }
  return (
    <time dateTime={date.toISOString()} title={date.toISOString()}>
      {dated ? `${DAY.format(date)} (${relative(date, new Date())})` : relative(date, new Date())}
    </time>
  );
}
