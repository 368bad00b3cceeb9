import type { DescribedRequest } from "./described";

/** One word of a POSIX shell, whatever it holds. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A command with the variables of docs/guides/api.md: `$api`, `$ca` and `$token`, so that no secret is in what is copied. */
export function asCurl({ method, path, body, instance }: DescribedRequest): string {
  const parts = [`curl -sS --fail-with-body --cacert "$ca" -H "X-Auth-Token: $token"`];
  if (instance !== undefined) {
    parts.push(`-H ${shellWord(`Instance-Id: ${instance}`)}`);
  }
  // curl makes a POST of whatever has data.
  if (method !== (body === undefined ? "GET" : "POST")) {
    parts.push(`-X ${method}`);
  }
  parts.push(`"$api"${shellWord(path)}`);
  if (body !== undefined) {
    parts.push(`-H 'Content-Type: application/json'`);
    // `--data` would read a file for a text that begins with `@`.
    parts.push(`--data-raw ${shellWord(JSON.stringify(body, null, 2))}`);
  }
  return `${parts.join(" \\\n  ")}\n`;
}
