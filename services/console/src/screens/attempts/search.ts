/** What tells one group of attempts from another. */
export interface GroupKey {
  code: string;
  /** The CA certificate that the certificate was from; absent where it was from none of the instance. */
  ca?: string;
  /** The template that was consulted; absent where none was. */
  template?: string;
  /** IP address of the client; absent where it was not seen. */
  source?: string;
}

/** How far back it is looked, in hours. */
export const SPANS = [1, 24, 168] as const;
export type Span = (typeof SPANS)[number];
export const SPAN: Span = 24;

/** What the URL of this screen carries. */
export interface AttemptsSearch extends Partial<GroupKey> {
  /** Absent for a day. */
  hours?: Span;
  /** Part of a CN, or the beginning of a fingerprint. */
  certificate?: string;
}

const TEXTS = ["code", "ca", "template", "source", "certificate"] as const;
/** Longer is no id and no address. */
const TEXT_MAX = 256;

export function attemptsSearch(search: Record<string, unknown>): AttemptsSearch {
  const found: AttemptsSearch = {};
  for (const key of TEXTS) {
    const value = typeof search[key] === "number" ? search[key].toString() : search[key];
    if (typeof value === "string" && value !== "") {
      found[key] = value.slice(0, TEXT_MAX);
    }
  }
  const hours = SPANS.find((hours) => hours === search["hours"]);
  if (hours !== undefined && hours !== SPAN) {
    found.hours = hours;
  }
  return found;
}

/** The group that the URL names; absent if it names none. */
export function groupOf({ code, ca, template, source }: AttemptsSearch): GroupKey | undefined {
  return code === undefined
    ? undefined
    : {
        code,
        ...(ca !== undefined && { ca }),
        ...(template !== undefined && { template }),
        ...(source !== undefined && { source }),
      };
}

/** The URL of a group, as far back as before. */
export function searchOf({ code, ca, template, source }: GroupKey, hours: Span | undefined): AttemptsSearch {
  return {
    code,
    ...(ca !== undefined && { ca }),
    ...(template !== undefined && { template }),
    ...(source !== undefined && { source }),
    ...(hours !== undefined && { hours }),
  };
}
