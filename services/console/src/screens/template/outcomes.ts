import type { Schemas } from "../../api/client";

type Counts = Schemas["Counts"];

/** How a device certificate fares under another body; `examined` is all of them. */
export type Outcome = Exclude<keyof Counts, "examined">;

/** The worst first. */
const ORDER: readonly Outcome[] = [
  "no_device",
  "collides",
  "product_elsewhere",
  "other_device",
  "unreadable",
  "unchanged",
  "not_by_template",
];

/** Those that are let in now and would be refused. */
const LOSE: readonly Outcome[] = ["no_device", "collides", "product_elsewhere"];

export function losing(counts: Counts): number {
  return LOSE.reduce((sum, outcome) => sum + counts[outcome], 0);
}

export interface Group {
  outcome: Outcome;
  count: number;
  tone: "good" | "warn" | "bad" | "muted";
  examples: Schemas["Example"][];
}

/** The outcomes that there are, with those that lose access first. */
export function groupsOf({ counts, examples }: Pick<Schemas["WhatIfAnswer"], "counts" | "examples">): Group[] {
  const some: Partial<Record<Outcome, Schemas["Example"][]>> = examples;
  return ORDER.filter((outcome) => counts[outcome] > 0).map((outcome) => ({
    outcome,
    count: counts[outcome],
    tone: LOSE.includes(outcome)
      ? "bad"
      : outcome === "other_device" || outcome === "unreadable"
        ? "warn"
        : outcome === "unchanged"
          ? "good"
          : "muted",
    examples: some[outcome] ?? [],
  }));
}
