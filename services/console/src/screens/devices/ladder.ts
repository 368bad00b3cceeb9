/** Rows of one page, the most that the API gives. */
export const PAGE = 50;
/** Rows that the API skips at most behind a marker. */
const OFFSET_MAX = 500;
const PAGES_SKIPPED_MAX = OFFSET_MAX / PAGE;

/** One page of a list that is read by markers. */
export interface Slice<Row> {
  rows: Row[];
  /** Rows of the whole list; of a list that is searched, the least that it can be. */
  count: number;
  isLowerBound: boolean;
  /** Where the list goes on; absent when there is no more. */
  marker: string | undefined;
}

export type Read<Row> = (from: { marker?: string; offset: number; limit: number }) => Promise<Slice<Row>>;

/**
 * Where each page of a list begins, as far as it has been read: the API knows a page by the marker before it, a scroll
 * bar by its number. It holds a marker for a page and no row, so what it takes for 20,000 devices is 400 short texts.
 */
export class Ladder {
  // A sparse record of the marker before each page; the first page has none before it.
  #before = new Map<number, string | undefined>([[0, undefined]]);
  #isSearched = false;
  /** Rows of a list that is searched, once its end was seen. */
  #end: number | undefined;

  /** The last page at or before this one whose beginning is known. */
  nearest(page: number): { page: number; marker: string | undefined } {
    let known = 0;
    for (const candidate of this.#before.keys()) {
      if (candidate <= page && candidate > known) {
        known = candidate;
      }
    }
    return { page: known, marker: this.#before.get(known) };
  }

  /** Notes where a page begins. If it began elsewhere before, the list has moved, and what is known behind it is not so. */
  note(page: number, marker: string): void {
    const known = this.#before.get(page);
    if (known !== undefined && known !== marker) {
      for (const later of [...this.#before.keys()].filter((other) => other > page)) {
        this.#before.delete(later);
      }
    }
    this.#before.set(page, marker);
  }

  /** Reads one page; of a list that is searched, on from the last page that is known. */
  async read<Row>(page: number, read: Read<Row>): Promise<Slice<Row>> {
    if (!this.#isSearched) {
      const slice = await this.#jump(page, read);
      if (!slice.isLowerBound) {
        return slice;
      }
      // Its pages may be short, so that nothing that was skipped can be told by its number.
      this.#isSearched = true;
      this.#before = new Map([[0, undefined]]);
    }
    return this.#walk(page, read);
  }

  /** Over as many steps of 500 rows as lie between the page and what is known. */
  async #jump<Row>(page: number, read: Read<Row>): Promise<Slice<Row>> {
    let from = this.nearest(page);
    while (page - from.page > PAGES_SKIPPED_MAX) {
      const next = from.page + PAGES_SKIPPED_MAX;
      const last = await read({ ...at(from.marker), offset: OFFSET_MAX - 1, limit: 1 });
      if (last.isLowerBound || last.marker === undefined || last.rows.length === 0) {
        // The list ends before.
        return { ...last, rows: [] };
      }
      this.note(next, last.marker);
      from = { page: next, marker: last.marker };
    }
    const slice = await read({ ...at(from.marker), offset: (page - from.page) * PAGE, limit: PAGE });
    if (!slice.isLowerBound && slice.marker !== undefined && slice.rows.length === PAGE) {
      this.note(page + 1, slice.marker);
    }
    return slice;
  }

  /** Page by page, each filled from as many answers as it takes. */
  async #walk<Row>(page: number, read: Read<Row>): Promise<Slice<Row>> {
    for (;;) {
      const from = this.nearest(page);
      const slice = await gather(from.marker, read);
      if (slice.marker === undefined) {
        this.#end = from.page * PAGE + slice.rows.length;
      } else {
        this.note(from.page + 1, slice.marker);
      }
      if (from.page === page || slice.marker === undefined) {
        const rows = from.page === page ? slice.rows : [];
        const known = (Math.max(...this.#before.keys()) + 1) * PAGE;
        return { ...slice, rows, count: this.#end ?? known, isLowerBound: this.#end === undefined };
      }
    }
  }
}

/** A whole page of a list whose answers may be short before its end. */
async function gather<Row>(from: string | undefined, read: Read<Row>): Promise<Slice<Row>> {
  const rows: Row[] = [];
  let marker = from;
  for (;;) {
    const slice = await read({ ...at(marker), offset: 0, limit: PAGE - rows.length });
    rows.push(...slice.rows);
    marker = slice.marker;
    if (rows.length === PAGE || marker === undefined) {
      return { ...slice, rows, marker };
    }
  }
}

function at(marker: string | undefined) {
  return marker === undefined ? {} : { marker };
}
