import { expect, test } from "vitest";

import { BYTES, CHARACTERS, hex, payloadView } from "./payload";

test("JSON is pretty, a text is itself", () => {
  expect(payloadView({ a: [1] }, "json", false).shown).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(payloadView("<b>hi</b>", "text", false)).toEqual({ kind: "text", shown: "<b>hi</b>", size: 9, isCut: false });
  expect(payloadView("a text", "json", false).shown).toBe('"a text"');
  expect(payloadView(undefined, "json", false).shown).toBe("null");
});

test("bytes are hex with what is printable beside them", () => {
  const { kind, shown, size } = payloadView(btoa("Hi\u0000\u00ff<script>alert"), "base64", false);
  expect([kind, size]).toEqual(["hex", 17]);
  expect(shown.split("\n")).toEqual([
    "00000000  48 69 00 ff 3c 73 63 72 69 70 74 3e 61 6c 65 72  |Hi..<script>aler|",
    "00000010  74                                               |t|",
  ]);
});

test("what is no base64 after all is shown as the text that it is", () => {
  expect(payloadView("%%%", "base64", false)).toMatchObject({ kind: "text", shown: "%%%" });
});

test("a megabyte is cut until all of it is asked for", () => {
  const text = "x".repeat(1_000_000);
  expect(payloadView(text, "text", false)).toMatchObject({
    isCut: true,
    size: 1_000_000,
    shown: text.slice(0, CHARACTERS),
  });
  expect(payloadView(text, "text", true)).toMatchObject({ isCut: false, shown: text });
  const bytes = payloadView(btoa(text), "base64", false);
  expect(bytes.shown.split("\n")).toHaveLength(BYTES / 16);
  expect(bytes).toMatchObject({ isCut: true, size: 1_000_000 });
});

test("no bytes are no lines", () => {
  expect(hex(new Uint8Array())).toBe("");
});
