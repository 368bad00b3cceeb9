import type { Schemas } from "../../../api/client";

/** What a message carried, as it can be read. */
export interface PayloadView {
  kind: "json" | "text" | "hex";
  /** The part that is shown. */
  shown: string;
  /** How much there is: characters of a text, bytes of what is none. */
  size: number;
  /** Whether `shown` is less than all of it. */
  isCut: boolean;
}

/** Characters that are shown before all is asked for. */
export const CHARACTERS = 2_000;
/** Bytes that are shown in hex before all is asked for. */
export const BYTES = 256;
const BYTES_A_LINE = 16;

/** The payload for people: pretty JSON, the text, or bytes in hex with what is printable beside them. */
export function payloadView(payload: unknown, encoding: Schemas["PayloadEncoding"], whole: boolean): PayloadView {
  if (encoding === "base64" && typeof payload === "string") {
    const bytes = bytesOf(payload);
    if (bytes !== undefined) {
      const shown = whole ? bytes : bytes.subarray(0, BYTES);
      return { kind: "hex", shown: hex(shown), size: bytes.length, isCut: shown.length < bytes.length };
    }
  }
  const isJson = encoding === "json" || typeof payload !== "string";
  const text = isJson ? JSON.stringify(payload ?? null, null, 2) : payload;
  const shown = whole ? text : text.slice(0, CHARACTERS);
  return { kind: isJson ? "json" : "text", shown, size: text.length, isCut: shown.length < text.length };
}

function bytesOf(base64: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** As `hexdump -C` writes it. */
export function hex(bytes: Uint8Array): string {
  const lines = [];
  for (let at = 0; at < bytes.length; at += BYTES_A_LINE) {
    const line = [...bytes.subarray(at, at + BYTES_A_LINE)];
    const digits = line.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const letters = line.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${digits.padEnd(BYTES_A_LINE * 3 - 1)}  |${letters}|`);
  }
  return lines.join("\n");
}
