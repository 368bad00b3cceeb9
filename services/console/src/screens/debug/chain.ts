import { derToPem } from "../../kit/pem";

/** The chain that an attempt's request has kept, as PEM, the device's own certificate first; none where it has none. */
export function chainOf(request: unknown): string | undefined {
  const body = isRecord(request) ? request["body"] : undefined;
  const chain = isRecord(body) ? body["chain"] : undefined;
  if (!Array.isArray(chain) || chain.length === 0) {
    return undefined;
  }
  try {
    return chain.map((der) => derToPem(bytesOf(String(der)))).join("");
  } catch {
    return undefined;
  }
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
