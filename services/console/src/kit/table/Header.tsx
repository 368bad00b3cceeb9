import { UnstyledButton } from "@mantine/core";

import { texts } from "../../texts";
import { type Column, nextSort, type Sort } from "./columns";
import classes from "./DataTable.module.css";

interface HeaderProps<Row> {
  column: Column<Row>;
  sort: Sort | undefined;
  onSort: ((sort: Sort) => void) | undefined;
}

/** A column's head; a button where the column can be sorted by. */
export function Header<Row>({ column, sort, onSort }: HeaderProps<Row>) {
  const by = column.sort;
  // The box scrolls rather than that a column becomes too narrow to be read.
  const style = { width: column.width, minWidth: column.width ?? "6rem" };
  if (by === undefined || onSort === undefined) {
    return (
      <th scope="col" data-number={column.isNumber} style={style}>
        {column.header}
      </th>
    );
  }
  const isSorted = sort?.by === by;
  const order = isSorted ? (sort.isDescending ? "descending" : "ascending") : "none";
  const next = nextSort(sort, by);
  return (
    <th scope="col" data-number={column.isNumber} style={style} aria-sort={order}>
      <UnstyledButton
        className={classes["sort"]}
        onClick={() => onSort(next)}
        title={texts.kit.table.sort(column.header, next.isDescending)}
      >
        {column.header}
        <span aria-hidden>{isSorted ? (sort.isDescending ? " ↓" : " ↑") : " ↕"}</span>
      </UnstyledButton>
    </th>
  );
}
