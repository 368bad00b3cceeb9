/** What a file with certificates turned out to be. */
export type FileRead =
  | { kind: "text"; text: string }
  /** The binary form; `text` is the same as PEM. */
  | { kind: "der"; text: string }
  /** A private key is in it, which nothing here needs. */
  | { kind: "key" }
  | { kind: "binary" };

const PRIVATE_KEY = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/;

/** RFC 7468: base64 in lines of 64 between its boundaries. */
export function derToPem(der: Uint8Array, label = "CERTIFICATE"): string {
  let binary = "";
  for (const byte of der) {
    binary += String.fromCharCode(byte);
  }
  const rows = btoa(binary).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${rows.join("\n")}\n-----END ${label}-----\n`;
}

/** Whether the bytes are one SEQUENCE of DER from the first to the last, as every certificate is. */
function isSequence(bytes: Uint8Array): boolean {
  const [tag, first] = bytes;
  if (tag !== 0x30 || first === undefined) {
    return false;
  }
  if (first < 0x80) {
    return bytes.length === 2 + first;
  }
  const count = first & 0x7f;
  const length = bytes.slice(2, 2 + count).reduce((sum, byte) => sum * 256 + byte, 0);
  return count >= 1 && count <= 4 && bytes.length === 2 + count + length;
}

export function hasPrivateKey(text: string): boolean {
  return PRIVATE_KEY.test(text);
}

/** Reads a file's content as text, or as DER. */
export function readCertificates(bytes: Uint8Array): FileRead {
  if (isSequence(bytes)) {
    // The first member of a certificate is a SEQUENCE, of a private key (PKCS #1, #8, SEC 1) the version.
    const inner = (bytes[1] ?? 0) < 0x80 ? 2 : 2 + ((bytes[1] ?? 0) & 0x7f);
    return bytes[inner] === 0x02 ? { kind: "key" } : { kind: "der", text: derToPem(bytes) };
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // eslint-disable-next-line no-control-regex -- no text has them
    if (/[\u0000-\u0008\u000e-\u001f]/.test(text)) {
      return { kind: "binary" };
    }
    return hasPrivateKey(text) ? { kind: "key" } : { kind: "text", text };
  } catch {
    return { kind: "binary" };
  }
}
