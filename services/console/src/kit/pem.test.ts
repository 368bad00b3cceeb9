import { describe, expect, it } from "vitest";

import { derToPem, readCertificates } from "./pem";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A SEQUENCE of so many bytes that begins with a member of this tag. */
function sequence(length: number, tag: number): Uint8Array {
  const content = new Uint8Array(length);
  content[0] = tag;
  return length < 0x80
    ? new Uint8Array([0x30, length, ...content])
    : new Uint8Array([0x30, 0x82, length >> 8, length & 0xff, ...content]);
}

describe("readCertificates", () => {
  it("takes text as it is", () => {
    const text = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    expect(readCertificates(bytes(text))).toEqual({ kind: "text", text });
  });

  it("makes PEM of DER, in lines of 64", () => {
    const der = sequence(300, 0x30);
    const found = readCertificates(der);
    expect(found).toEqual({ kind: "der", text: derToPem(der) });
    const rows = derToPem(der).trimEnd().split("\n");
    expect(rows[0]).toBe("-----BEGIN CERTIFICATE-----");
    expect(rows.slice(1, -2).every((row) => row.length === 64)).toBe(true);
    expect(atob(rows.slice(1, -1).join(""))).toHaveLength(der.length);
  });

  it.each(["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"])("takes no %s", (label) => {
    expect(readCertificates(bytes(`x\n-----BEGIN ${label}-----\nMAA=\n`))).toEqual({ kind: "key" });
  });

  it("takes no private key in DER", () => {
    expect(readCertificates(sequence(60, 0x02))).toEqual({ kind: "key" });
  });

  it.each([[[0xff, 0xfe, 0x00]], [[0x30, 0x05, 0x30]], [[0x61, 0x00]]])("knows nothing of %j", (content) => {
    expect(readCertificates(new Uint8Array(content))).toEqual({ kind: "binary" });
  });
});
