import type { ReactNode } from "react";

/** One column. Its order is the caller's: lists of the API come in pages. */
export interface Column<Row> {
  id: string;
  header: string;
  cell: (row: Row) => ReactNode;
  /** Figures stand at the right, so that they compare. */
  isNumber?: boolean;
  /** A CSS width, which it does not go below; what the content needs, when absent. */
  width?: string;
  /** The name under which `onSort` is asked for it; absent where it cannot be sorted by. */
  sort?: string;
}

export interface Sort {
  by: string;
  isDescending: boolean;
}

/** What a click on a header asks for: ascending first, then the other way. */
export function nextSort(current: Sort | undefined, by: string): Sort {
  return { by, isDescending: current?.by === by && !current.isDescending };
}
