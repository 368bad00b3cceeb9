/** One line of a chart: as many values as there are times. */
export interface Series {
  label: string;
  values: number[];
  /** Of which colour it is; lines differ in their dashes as well. */
  tone: "accent" | "good" | "warn" | "bad";
}

/** The colour of each tone, as it is now: a canvas takes no variables. */
export function colours(within: HTMLElement): (name: string) => string {
  const probe = document.createElement("span");
  within.append(probe);
  const read = (name: string) => {
    probe.style.color = `var(--rc-${name})`;
    return getComputedStyle(probe).color;
  };
  const found = Object.fromEntries(
    ["accent", "good", "warn", "bad", "line", "muted"].map((name) => [name, read(name)]),
  );
  probe.remove();
  return (name) => found[name] ?? "currentColor";
}

export const DASHES: readonly number[][] = [[], [6, 4], [2, 3], [8, 3, 2, 3]];
