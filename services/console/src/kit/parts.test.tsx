import { File } from "node:buffer";

import { cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { type ReactNode, useState } from "react";
import { afterEach, describe, expect, it, vi } from "vitest";

import { ApiError } from "../api/error";
import { show } from "../testing/show";
import { texts } from "../texts";
import { ConfirmDialog } from "./ConfirmDialog";
import { CopyAs } from "./CopyAs";
import { FileDrop } from "./FileDrop";
import { JsonEditor } from "./JsonEditor";
import { SearchField } from "./SearchField";

// A failure's code is a link, and no router is here.
vi.mock("./links", () => ({ TextLink: ({ children }: { children: ReactNode }) => children }));

afterEach(cleanup);

const button = (name: string) => screen.getByRole<HTMLButtonElement>("button", { name });

describe("ConfirmDialog", () => {
  const open = (props: Partial<Parameters<typeof ConfirmDialog>[0]>) => {
    const onClose = vi.fn();
    const onConfirm = vi.fn(() => Promise.resolve());
    show(
      <ConfirmDialog
        opened
        onClose={onClose}
        onConfirm={onConfirm}
        title="Delete it?"
        consequence="It is gone."
        action="Delete"
        {...props}
      />,
    );
    return { onClose, onConfirm };
  };

  it("waits for the name of what cannot be brought back", async () => {
    const { onClose, onConfirm } = open({ typed: "truck-1", isDestructive: true });
    const field = screen.getByLabelText(texts.kit.confirm.type("truck-1"));
    await waitFor(() => expect(document.activeElement).toBe(field));
    expect(button("Delete").disabled).toBe(true);
    fireEvent.change(field, { target: { value: "truck-2" } });
    fireEvent.submit(field);
    expect(onConfirm).not.toHaveBeenCalled();
    fireEvent.change(field, { target: { value: "truck-1" } });
    fireEvent.submit(field);
    await waitFor(() => expect(onClose).toHaveBeenCalledOnce());
    expect(onConfirm).toHaveBeenCalledOnce();
  });

  it("has the focus on what prevents it, where something ends", async () => {
    open({ isDestructive: true });
    await waitFor(() => expect(document.activeElement).toBe(button(texts.kit.confirm.cancel)));
  });

  it("shows in place why it failed, and stays", async () => {
    const onConfirm = () => Promise.reject(new ApiError(409, "IOTDA.000001", "it is in use", "req-1"));
    const { onClose } = open({ onConfirm });
    fireEvent.click(button("Delete"));
    expect((await screen.findByRole("alert")).textContent).toContain("it is in use");
    expect(screen.getByText("req-1")).toBeTruthy();
    expect(onClose).not.toHaveBeenCalled();
  });
});

describe("FileDrop", () => {
  function Drop({ bytesMax = 1_000 }: { bytesMax?: number }) {
    const [value, setValue] = useState("");
    return <FileDrop label="Certificate" value={value} onChange={setValue} bytesMax={bytesMax} />;
  }
  const field = () => screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Certificate" });
  const drop = (...files: File[]) => fireEvent.drop(field(), { dataTransfer: { files } as unknown as DataTransfer });

  it("takes a file that is dropped, and says what it read", async () => {
    show(<Drop />);
    drop(new File(["-----BEGIN CERTIFICATE-----\n"], "ca.pem"));
    await waitFor(() => expect(field().value).toBe("-----BEGIN CERTIFICATE-----\n"));
    expect(screen.getByRole("status").textContent).toContain("ca.pem");
  });

  it("takes no private key, dropped or pasted", async () => {
    show(<Drop />);
    drop(new File(["-----BEGIN EC PRIVATE KEY-----\n"], "ca.key"));
    expect(await screen.findByText(texts.kit.file.key)).toBeTruthy();
    fireEvent.change(field(), { target: { value: "-----BEGIN PRIVATE KEY-----" } });
    expect(field().value).toBe("");
  });

  it("reads nothing that is too large", async () => {
    show(<Drop bytesMax={4} />);
    drop(new File(["12345"], "big.pem"));
    expect(await screen.findByText(/big\.pem/)).toBeTruthy();
    expect(field().value).toBe("");
  });
});

it("says in a JSON editor where it stops being JSON, and else what is wrong with it", () => {
  const editor = (value: string) => (
    <JsonEditor label="Body" value={value} onChange={vi.fn()} problem="no such product" />
  );
  show(editor('{\n  "a": }'));
  expect(screen.getByText(texts.kit.json.at(2, 8, texts.kit.json.value))).toBeTruthy();
  cleanup();
  show(editor("{}"));
  expect(screen.getByText("no such product")).toBeTruthy();
});

describe("SearchField", () => {
  it("is led to by a slash, says what is typed, and is emptied by Escape", async () => {
    const onChange = vi.fn();
    show(<SearchField value="" onChange={onChange} />);
    fireEvent.keyDown(document.body, { key: "/" });
    const field = screen.getByRole<HTMLInputElement>("searchbox");
    expect(document.activeElement).toBe(field);
    fireEvent.change(field, { target: { value: "tr" } });
    fireEvent.change(field, { target: { value: "truck" } });
    await waitFor(() => expect(onChange).toHaveBeenCalledExactlyOnceWith("truck"));
    fireEvent.keyDown(field, { key: "Escape" });
    expect(field.value).toBe("");
  });

  it("keeps what is typed while the URL is late, and follows it where it is changed elsewhere", async () => {
    const onChange = vi.fn();
    function Late() {
      const [value, setValue] = useState("");
      return (
        <>
          <SearchField value={value} onChange={onChange} />
          <button onClick={() => setValue("tr")}>late</button>
          <button onClick={() => setValue("back")}>back</button>
        </>
      );
    }
    show(<Late />);
    const field = screen.getByRole<HTMLInputElement>("searchbox");
    fireEvent.change(field, { target: { value: "tr" } });
    await waitFor(() => expect(onChange).toHaveBeenCalledExactlyOnceWith("tr"));
    fireEvent.change(field, { target: { value: "truck" } });
    fireEvent.click(button("late"));
    expect(field.value).toBe("truck");
    fireEvent.click(button("back"));
    expect(field.value).toBe("back");
  });
});

describe("CopyAs", () => {
  const of = { request: { method: "GET", path: "/v5/iot/p/devices", instance: "north" }, fleet: { a: 1 } } as const;

  it("copies, and shows the text where the browser does not let it", async () => {
    const written: string[] = [];
    vi.stubGlobal("navigator", { clipboard: { writeText: (text: string) => Promise.resolve(written.push(text)) } });
    show(<CopyAs of={of} />);
    fireEvent.click(button(texts.kit.copy.as));
    fireEvent.click(await screen.findByRole("menuitem", { name: texts.kit.copy.fleet }));
    await waitFor(() => expect(written).toEqual(["a: 1\n"]));

    vi.stubGlobal("navigator", { clipboard: { writeText: () => Promise.reject(new Error("not allowed")) } });
    fireEvent.click(button(texts.kit.copy.as));
    fireEvent.click(await screen.findByRole("menuitem", { name: texts.kit.copy.python }));
    const text = await screen.findByRole<HTMLTextAreaElement>("textbox", { name: texts.kit.copy.python });
    expect(text.value).toContain("ListDevicesRequest");
    vi.unstubAllGlobals();
  });
});
