import { tableFeatures, useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type MouseEvent, useEffect, useMemo, useRef, useState } from "react";

import type { Column, Sort } from "./table/columns";
import classes from "./table/DataTable.module.css";
import { Header } from "./table/Header";
import { nextRow, useRowKeys } from "./table/rowKeys";

export type { Column, Sort } from "./table/columns";

/** Rows are as the caller gives them: order, filters and pages are the server's. */
const features = tableFeatures({});

/** A row before it is measured, px. */
const ROW_HEIGHT = 37;

interface DataTableProps<Row> {
  /** What the table is of, for those who do not see it. */
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  rowId: (row: Row) => string;
  /** Enter or a click on a row. A cell should hold a link as well, which can be copied and opened beside. */
  onOpen?: (row: Row) => void;
  sort?: Sort | undefined;
  onSort?: (sort: Sort) => void;
  /** A CSS height at which the box scrolls and only the rows in sight are made; for more than some hundred. */
  height?: string;
  /** The end of the rows comes into sight: the next page is wanted. May be called again until it is there. */
  onEnd?: () => void;
  /** How many rows there are in all, where that is known and not all are here. */
  total?: number;
}

/** A table that scrolls in its own box. `j`/`k` go through its rows, Enter opens one. */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const { label, columns, rows, rowId, onOpen, sort, onSort, height, onEnd, total } = props;
  const box = useRef<HTMLDivElement>(null);
  const [current, setCurrent] = useState(-1);
  // The row that has the focus as soon as it is there.
  const [wanted, setWanted] = useState<number>();

  const defined = useMemo(
    () => columns.map((column) => ({ id: column.id, header: column.header, meta: column })),
    [columns],
  );
  const table = useTable({ features, columns: defined, data: rows as object[] });
  const shown = table.getRowModel().rows;

  // eslint-disable-next-line react-hooks/incompatible-library -- nothing here is compiled, so that nothing is memoized
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    enabled: height !== undefined,
  });
  const items = virtual.getVirtualItems();
  const [first, last] = [items[0], items.at(-1)];
  const begin = height === undefined ? 0 : (first?.index ?? 0);
  const end = height === undefined ? shown.length : (last?.index ?? -1) + 1;
  const above = height === undefined ? 0 : (first?.start ?? 0);
  const below = height === undefined ? 0 : virtual.getTotalSize() - (last?.end ?? virtual.getTotalSize());

  useRowKeys(box, (key) => {
    // Rows may have come above the one that has the focus since it has it.
    const focused = box.current?.querySelector<HTMLElement>("tr:focus")?.dataset["index"];
    const next = nextRow(key, focused === undefined ? current : Number(focused), shown.length);
    if (next !== undefined) {
      if (height !== undefined) {
        virtual.scrollToIndex(next);
      }
      setCurrent(next);
      setWanted(next);
    }
  });
  useEffect(() => {
    if (wanted === undefined) {
      return;
    }
    const row = box.current?.querySelector<HTMLElement>(`tr[data-index="${wanted}"]`);
    if (row) {
      row.focus();
      setWanted(undefined);
    }
  }, [wanted, begin, end]);

  const isAtEnd = end >= shown.length && shown.length > 0;
  useEffect(() => {
    if (isAtEnd) {
      onEnd?.();
    }
    // Again at each page, for the end may still be in sight.
  }, [isAtEnd, shown.length, onEnd]);

  const open = (row: Row, event: KeyboardEvent | MouseEvent) => {
    const target = event.target as Element;
    const isOthers = target.closest("a, button, input, label, summary") !== null;
    const isSelecting = event.type === "click" && window.getSelection()?.isCollapsed === false;
    if (!isOthers && !isSelecting) {
      onOpen?.(row);
    }
  };
  const focusable = current >= begin && current < end ? current : begin;

  return (
    // Some rows cannot be reached without scrolling, so that the box has the focus too where no row may have it.
    <div ref={box} className={classes["box"]} style={{ maxHeight: height }} data-rows>
      <table className={classes["table"]} aria-label={label} aria-rowcount={(total ?? shown.length) + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((column) => (
              <Header key={column.id} column={column} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {above > 0 && <Space height={above} columns={columns.length} />}
          {shown.slice(begin, end).map(({ index, original }) => {
            const row = original as Row;
            return (
              <tr
                key={rowId(row)}
                ref={height === undefined ? undefined : virtual.measureElement}
                className={classes["row"]}
                data-index={index}
                data-opens={onOpen !== undefined}
                aria-rowindex={index + 2}
                tabIndex={index === focusable ? 0 : -1}
                onFocus={() => setCurrent(index)}
                onClick={(event) => open(row, event)}
                onKeyDown={(event) => {
                  if (event.key === "Enter") {
                    open(row, event);
                  }
                }}
              >
                {columns.map((column) => (
                  <td key={column.id} data-number={column.isNumber}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            );
          })}
          {below > 0 && <Space height={below} columns={columns.length} />}
        </tbody>
      </table>
    </div>
  );
}

/** Stands for the rows that are not in sight. */
function Space({ height, columns }: { height: number; columns: number }) {
  return (
    <tr aria-hidden>
      <td className={classes["space"]} colSpan={columns} style={{ height }} />
    </tr>
  );
}
