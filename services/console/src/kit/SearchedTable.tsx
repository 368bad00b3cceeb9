import { Stack } from "@mantine/core";
import type { ReactNode } from "react";

import { contains } from "./contains";
import { type Column, DataTable } from "./DataTable";
import { Empty } from "./Empty";
import { SearchField } from "./SearchField";

interface SearchedTableProps<Row> {
  /** `title` names the table for those who do not see it. */
  words: { title: string; search: string; notFound: (q: string) => string };
  rows: Row[];
  /** What stands where there is no row at all: the next step. */
  none: ReactNode;
  /** The texts of a row that are searched. */
  textsOf: (row: Row) => string[];
  /** What is searched for, as the URL carries it. */
  q: string;
  onSearch: (q: string | undefined) => void;
  columns: Column<Row>[];
  rowId: (row: Row) => string;
  onOpen: (row: Row) => void;
}

/** A list that is here whole, with a search of it. */
export function SearchedTable<Row>(props: SearchedTableProps<Row>) {
  const { words, rows, none, textsOf, q, onSearch, ...table } = props;
  if (rows.length === 0) {
    return none;
  }
  const found = rows.filter((row) => contains(textsOf(row), q));
  return (
    <Stack>
      <SearchField label={words.search} value={q} onChange={(text) => onSearch(text || undefined)} />
      {found.length === 0 ? (
        <Empty text={words.notFound(q)} />
      ) : (
        <DataTable label={words.title} rows={found} {...table} />
      )}
    </Stack>
  );
}
