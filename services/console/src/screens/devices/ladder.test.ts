import { expect, test } from "vitest";

import { Ladder, PAGE, type Read } from "./ladder";

/** A list of so many rows, whose markers are the rows themselves; it counts what was asked of it. */
function list(length: number) {
  let rows = Array.from({ length }, (_, index) => `row ${index}`);
  const asked: { offset: number; limit: number }[] = [];
  const read: Read<string> = ({ marker, offset, limit }) => {
    expect(offset).toBeLessThanOrEqual(500);
    expect(limit).toBeLessThanOrEqual(50);
    asked.push({ offset, limit });
    const begin = (marker === undefined ? 0 : rows.indexOf(marker) + 1) + offset;
    const found = rows.slice(begin, begin + limit);
    return Promise.resolve({ rows: found, count: rows.length, isLowerBound: false, marker: found.at(-1) });
  };
  return {
    asked,
    read,
    prepend: (row: string) => {
      rows = [row, ...rows];
    },
  };
}

test("pages that are read one after the other cost one request each", async () => {
  const { asked, read } = list(120);
  const ladder = new Ladder();
  expect((await ladder.read(0, read)).rows[0]).toBe("row 0");
  expect((await ladder.read(1, read)).rows[0]).toBe("row 50");
  expect((await ladder.read(2, read)).rows).toHaveLength(20);
  expect(asked).toHaveLength(3);
});

test("the last page of 20,000 is reached at once, in steps of 500 rows", async () => {
  const { asked, read } = list(20_000);
  const ladder = new Ladder();
  const slice = await ladder.read(399, read);
  expect(slice.rows.at(-1)).toBe("row 19999");
  expect(slice.rows).toHaveLength(PAGE);
  expect(asked).toHaveLength(40);
  expect(asked.slice(0, -1).every(({ limit }) => limit === 1)).toBe(true);
  // The way back is known.
  asked.length = 0;
  expect((await ladder.read(205, read)).rows[0]).toBe("row 10250");
  expect(asked).toHaveLength(1);
});

test("a page beyond the end is empty and says how long the list is", async () => {
  const { read } = list(60);
  expect(await new Ladder().read(90, read)).toMatchObject({ rows: [], count: 60, marker: undefined });
});

test("a list that has moved is read anew behind what moved", async () => {
  const { read, prepend } = list(150);
  const ladder = new Ladder();
  await ladder.read(0, read);
  await ladder.read(1, read);
  prepend("new");
  expect((await ladder.read(0, read)).rows[0]).toBe("new");
  expect((await ladder.read(1, read)).rows[0]).toBe("row 49");
  expect((await ladder.read(2, read)).rows[0]).toBe("row 99");
});

/** A list of which each answer looks at 20 rows and holds those that end with 7. */
function searched(length: number): Read<string> {
  return ({ marker, offset, limit }) => {
    if (limit < PAGE) {
      expect(offset).toBe(0);
    }
    const begin = marker === undefined ? 0 : Number(marker);
    const looked = Array.from({ length: Math.min(20, length - begin) }, (_, index) => begin + index);
    const rows = looked.filter((row) => row % 10 === 7).slice(0, limit);
    const end = rows.length === limit ? (rows.at(-1) ?? 0) + 1 : begin + 20;
    const marks = end >= length ? undefined : end.toString();
    return Promise.resolve({ rows: rows.map(String), count: rows.length, isLowerBound: true, marker: marks });
  };
}

test("a page of a search is filled from as many answers as it takes", async () => {
  const ladder = new Ladder();
  const first = await ladder.read(0, searched(1_200));
  expect([first.rows.length, first.rows[0], first.rows.at(-1)]).toEqual([PAGE, "7", "497"]);
  // One more page may be asked for.
  expect([first.count, first.isLowerBound]).toEqual([2 * PAGE, true]);
  const last = await ladder.read(2, searched(1_200));
  expect([last.rows.length, last.rows[0], last.count, last.isLowerBound]).toEqual([20, "1007", 120, false]);
  // Back at the top the end is still known.
  expect(await ladder.read(0, searched(1_200))).toMatchObject({ count: 120, isLowerBound: false });
});

test("a search that finds nothing ends with nothing", async () => {
  const nothing: Read<string> = ({ marker }) =>
    Promise.resolve({ rows: [], count: 0, isLowerBound: true, marker: marker === undefined ? "1" : undefined });
  expect(await new Ladder().read(0, nothing)).toEqual({ rows: [], count: 0, isLowerBound: false, marker: undefined });
});
