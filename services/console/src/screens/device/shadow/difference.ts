/** Values of a service by property. */
export type Values = Record<string, unknown>;

/** How a property stands: as desired, otherwise, not told by the device, or desired by nobody. */
export type Standing = "same" | "different" | "unreported" | "undesired";

export interface PropertyStanding {
  name: string;
  reported: unknown;
  desired: unknown;
  standing: Standing;
}

/** Whether two JSON values say the same; the order of an object's members says nothing. */
export function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return a === b;
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, index) => isSame(item, b[index]))
    );
  }
  const [left, right] = [a as Values, b as Values];
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && isSame(left[name], right[name]))
  );
}

/** Without what every object has by that name. */
function own(values: Values, name: string): unknown {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function standing(reported: Values, desired: Values, name: string): Standing {
  if (!Object.hasOwn(desired, name)) {
    return "undesired";
  }
  if (!Object.hasOwn(reported, name)) {
    return "unreported";
  }
  return isSame(reported[name], desired[name]) ? "same" : "different";
}

/** Every property of either side by name, the ones that are not as desired first. */
export function difference(reported: Values, desired: Values): PropertyStanding[] {
  const names = [...new Set([...Object.keys(desired), ...Object.keys(reported)])].sort();
  const all = names.map((name) => ({
    name,
    reported: own(reported, name),
    desired: own(desired, name),
    standing: standing(reported, desired, name),
  }));
  const isAmiss = ({ standing }: PropertyStanding) => standing === "different" || standing === "unreported";
  return [...all.filter(isAmiss), ...all.filter((property) => !isAmiss(property))];
}

/**
 * What to send so that `before` becomes `after`: what is new or other, and `null` for what is gone. Absent if nothing
 * changes. An empty change would be taken for "desire nothing", so it is made only where nothing is left.
 */
export function desiredChange(before: Values, after: Values): Values | undefined {
  if (Object.keys(after).length === 0) {
    return Object.keys(before).length === 0 ? undefined : {};
  }
  const gone = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  const other = Object.entries(after).filter(
    ([name, value]) => !Object.hasOwn(before, name) || !isSame(before[name], value),
  );
  const change = Object.fromEntries([...other, ...gone.map((name) => [name, null] as const)]);
  return Object.keys(change).length === 0 ? undefined : change;
}
