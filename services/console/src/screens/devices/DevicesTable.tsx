import { useDebouncedValue } from "@mantine/hooks";
import { useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useEffect, useRef, useState } from "react";

import { Failure } from "../../kit/Failure";
import { nextRow, useRowKeys } from "../../kit/table/rowKeys";
import { texts } from "../../texts";
import { columnsOf, features } from "./columns";
import classes from "./DevicesTable.module.css";
import type { Filters } from "./search";
import { ROWS_MAX, usePages } from "./usePages";

/** Height of a row, as the stylesheet has it. */
const ROW_PX = 36;
/** Rows that are ready beyond what is seen. */
const OVERSCAN = 10;
/** A range that the scroll bar only passes through is not asked for. */
const REST_MS = 60;
/** Frames that a row is waited for which the keyboard went to. */
const FRAMES_MAX = 120;
/** Rows up to which the box is as high as they are. */
const SHORT = 12;

export interface Counted {
  name: string;
  count: number;
  isLowerBound: boolean;
}

interface Props {
  instance: string;
  filters: Filters;
  /** The row to begin with. */
  row: number;
  /** What the count is told under: that of an earlier table may come late. */
  name: string;
  onCount: (counted: Counted) => void;
}

/** The filtered devices, of which the rows in sight are here and no others. Another filter is another table. */
export function DevicesTable({ instance, filters, row: start, name, onCount }: Props) {
  const box = useRef<HTMLDivElement>(null);
  // The row that the keyboard is on its way to: a key that is held is faster than rows are drawn.
  const wanted = useRef<number>(undefined);
  const [count, setCount] = useState<number>();
  const rows = Math.min(count ?? start + 1, ROWS_MAX);
  // eslint-disable-next-line react-hooks/incompatible-library -- its functions are called while rendering, and never memoized
  const virtual = useVirtualizer({
    count: rows,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN,
    // The rows begin below the header, which stays in sight.
    scrollPaddingEnd: ROW_PX,
    initialOffset: Math.max(0, start - SHORT) * ROW_PX,
  });
  const items = virtual.getVirtualItems();
  const [first, last] = [items[0]?.index ?? start, items.at(-1)?.index ?? start];
  const [range] = useDebouncedValue([first, last] as const, REST_MS);
  const pages = usePages(instance, filters, ...range);
  if (pages.count !== undefined && pages.count !== count) {
    setCount(pages.count);
  }
  const { isLowerBound } = pages;
  useEffect(() => {
    if (count !== undefined) {
      onCount({ name, count, isLowerBound });
    }
  }, [name, count, isLowerBound, onCount]);
  const data = items.map(({ index }) => ({ index, device: pages.row(index) }));
  const shown = columnsOf(filters);
  const table = useTable({
    features,
    columns: shown,
    data,
    // By its place in the list and not among those in sight: a link keeps the focus while the list scrolls.
    getRowId: ({ index }) => index.toString(),
  });
  useRowKeys(box, (key) => {
    const next = nextRow(key, wanted.current ?? focusedRow() ?? first - 1, rows);
    if (next !== undefined) {
      wanted.current = next;
      virtual.scrollToIndex(next);
      focusRow(box, wanted, FRAMES_MAX);
    }
  });
  return (
    <>
      {pages.error !== null && (
        <div className={classes["failure"]}>
          <Failure error={pages.error} />
        </div>
      )}
      <div ref={box} className={classes["box"]} data-short={rows <= SHORT} data-rows>
        <table className={classes["table"]} aria-rowcount={rows + 1} aria-label={texts.devices.title}>
          <thead>
            {table.getHeaderGroups().map((group) => (
              <tr key={group.id} aria-rowindex={1}>
                {group.headers.map((header) => (
                  <th key={header.id} scope="col" className={classes[header.id]}>
                    <table.FlexRender header={header} />
                  </th>
                ))}
              </tr>
            ))}
          </thead>
          <tbody>
            <Gap height={items[0]?.start ?? 0} columns={shown.length} />
            {table.getRowModel().rows.map((row) => (
              <tr key={row.original.index} aria-rowindex={row.original.index + 2} className={classes["row"]}>
                {row.original.device === undefined ? (
                  <td colSpan={shown.length}>
                    <span className={classes["waiting"]} role="img" aria-label={texts.kit.loading} />
                  </td>
                ) : (
                  row.getAllCells().map((cell) => (
                    <td key={cell.id}>
                      <table.FlexRender cell={cell} />
                    </td>
                  ))
                )}
              </tr>
            ))}
            <Gap height={virtual.getTotalSize() - (items.at(-1)?.end ?? 0)} columns={shown.length} />
          </tbody>
        </table>
      </div>
    </>
  );
}

/** The row whose link has the focus. */
function focusedRow(): number | undefined {
  const row = document.activeElement?.getAttribute("data-row");
  return row === null || row === undefined ? undefined : Number(row);
}

/** Focuses the wanted row's link as soon as it is drawn: its page may still be on the way. */
function focusRow(box: RefObject<HTMLElement | null>, wanted: RefObject<number | undefined>, frames: number) {
  if (wanted.current === undefined) {
    return;
  }
  const link = box.current?.querySelector<HTMLElement>(`[data-row="${wanted.current}"]`);
  if (link !== null && link !== undefined) {
    wanted.current = undefined;
    // The virtualizer has scrolled to it.
    link.focus({ preventScroll: true });
  } else if (frames > 0) {
    requestAnimationFrame(() => focusRow(box, wanted, frames - 1));
  } else {
    wanted.current = undefined;
  }
}

/** What stands for the rows out of sight. */
function Gap({ height, columns }: { height: number; columns: number }) {
  return (
    height > 0 && (
      <tr aria-hidden className={classes["gap"]} style={{ height }}>
        <td colSpan={columns} />
      </tr>
    )
  );
}
