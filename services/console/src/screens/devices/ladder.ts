/** Rows of one page, the most that the API gives. */
export const PAGE = 50;
/** Rows that the API skips at most behind a marker. */
const OFFSET_MAX = 500;
const PAGES_SKIPPED_MAX = OFFSET_MAX / PAGE;

/** One page of a list that is read by markers. */
export interface Slice<Row> {
  rows: Row[];
  /** Rows of the whole list. */
  count: number;
  /** Of the last row here; absent when there is none. */
  marker: string | undefined;
}

export type Read<Row> = (from: { marker?: string; offset: number; limit: number }) => Promise<Slice<Row>>;

/**
 * Where each page of a list begins, as far as it has been read: the API knows a page by the marker before it, a scroll
 * bar by its number. It holds a marker for a page and no row, so what it takes for 20,000 devices is 400 short texts.
 */
export class Ladder {
  // A sparse record of the marker before each page; the first page has none before it.
  readonly #before = new Map<number, string | undefined>([[0, undefined]]);

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

  /** Reads one page, over as many steps of 500 rows as lie between it and what is known. */
  async read<Row>(page: number, read: Read<Row>): Promise<Slice<Row>> {
    let from = this.nearest(page);
    while (page - from.page > PAGES_SKIPPED_MAX) {
      const next = from.page + PAGES_SKIPPED_MAX;
      const last = await read({ ...at(from.marker), offset: OFFSET_MAX - 1, limit: 1 });
      if (last.marker === undefined || last.rows.length === 0) {
        // The list ends before.
        return { rows: [], count: last.count, marker: undefined };
      }
      this.note(next, last.marker);
      from = { page: next, marker: last.marker };
    }
    const slice = await read({ ...at(from.marker), offset: (page - from.page) * PAGE, limit: PAGE });
    if (slice.marker !== undefined && slice.rows.length === PAGE) {
      this.note(page + 1, slice.marker);
    }
    return slice;
  }
}

function at(marker: string | undefined) {
  return marker === undefined ? {} : { marker };
}
