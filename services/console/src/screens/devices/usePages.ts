import { useQueries } from "@tanstack/react-query";
import { useState } from "react";

import { Ladder, PAGE } from "./ladder";
import { devicePage, type DeviceRow } from "./queries";
import type { Filters } from "./search";

/** Rows that the list shows at most: browsers cut elements of more than some 17 million pixels. */
export const ROWS_MAX = 400_000;

export interface Pages {
  /** Rows of the whole list; absent until the first page is here. */
  count: number | undefined;
  /** Whether there are more than `count`, which rises as the list is read on. */
  isLowerBound: boolean;
  /** The row, if its page is here. */
  row: (index: number) => DeviceRow | undefined;
  error: Error | null;
}

/** The pages that the rows from `first` to `last` lie on. */
export function usePages(instance: string, filters: Filters, first: number, last: number): Pages {
  const [ladder] = useState(() => new Ladder());
  const [from, to] = [Math.floor(first / PAGE), Math.floor(Math.max(first, last) / PAGE)];
  const numbers = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  return useQueries({
    queries: numbers.map((number) => devicePage(instance, filters, ladder, number)),
    combine: (results) => ({
      // A list that is searched is known as far as its furthest page.
      count: results.findLast(({ data }) => data !== undefined)?.data?.count,
      isLowerBound: results.findLast(({ data }) => data !== undefined)?.data?.isLowerBound ?? false,
      row: (index: number) => results[Math.floor(index / PAGE) - from]?.data?.rows[index % PAGE],
      error: results.find(({ error }) => error !== null)?.error ?? null,
    }),
  });
}
