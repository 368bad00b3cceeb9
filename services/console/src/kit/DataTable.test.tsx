import { cleanup, fireEvent, screen } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";

import { show } from "../testing/show";
import { type Column, DataTable } from "./DataTable";

afterEach(cleanup);

interface Device {
  id: string;
  name: string;
}
const DEVICES = ["a", "b", "c"].map((id): Device => ({ id, name: `Device ${id}` }));
const COLUMNS: Column<Device>[] = [
  { id: "id", header: "Id", sort: "id", cell: ({ id }) => <a href={`#${id}`}>{id}</a> },
  { id: "name", header: "Name", cell: ({ name }) => name },
];

describe("DataTable", () => {
  const open = (more: Partial<Parameters<typeof DataTable<Device>>[0]> = {}) =>
    show(<DataTable label="Devices" columns={COLUMNS} rows={DEVICES} rowId={({ id }) => id} {...more} />);
  const press = (key: string) => fireEvent.keyDown(document.activeElement ?? document.body, { key });
  const focused = () => document.activeElement?.textContent;

  it("is a table with a name, and a focus for one row at a time", () => {
    open();
    expect(screen.getByRole("table", { name: "Devices" })).toBeTruthy();
    expect(screen.getAllByRole("columnheader").map(({ textContent }) => textContent)).toEqual(["Id", "Name"]);
    expect(document.querySelectorAll("tbody tr[tabindex='0']")).toHaveLength(1);
  });

  it("is gone through by j and k from anywhere, and opens by Enter", () => {
    const onOpen = vi.fn();
    open({ onOpen });
    press("j");
    expect(focused()).toBe("aDevice a");
    press("j");
    press("j");
    press("j");
    expect(focused()).toBe("cDevice c");
    press("k");
    press("Enter");
    expect(onOpen).toHaveBeenCalledExactlyOnceWith(DEVICES[1]);
  });

  it("leaves keys to a field", () => {
    show(<input aria-label="field" />);
    open();
    screen.getByLabelText("field").focus();
    press("j");
    expect(document.activeElement).toBe(screen.getByLabelText("field"));
  });

  it("opens by a click on a row, but not by one on a link in it", () => {
    const onOpen = vi.fn();
    open({ onOpen });
    fireEvent.click(screen.getByRole("link", { name: "b" }));
    expect(onOpen).not.toHaveBeenCalled();
    fireEvent.click(screen.getByText("Device b"));
    expect(onOpen).toHaveBeenCalledExactlyOnceWith(DEVICES[1]);
  });

  it("says how it is sorted, and asks for the other way", () => {
    const onSort = vi.fn();
    open({ sort: { by: "id", isDescending: false }, onSort });
    expect(screen.getByRole("columnheader", { name: /Id/ }).getAttribute("aria-sort")).toBe("ascending");
    fireEvent.click(screen.getByRole("button", { name: /Id/ }));
    expect(onSort).toHaveBeenCalledExactlyOnceWith({ by: "id", isDescending: true });
  });

  it("asks for the next page when the end is in sight", () => {
    const onEnd = vi.fn();
    open({ onEnd, total: 9 });
    expect(onEnd).toHaveBeenCalledOnce();
    expect(screen.getByRole("table").getAttribute("aria-rowcount")).toBe("10");
  });
});
