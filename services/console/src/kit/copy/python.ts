import type { DescribedRequest } from "./described";
import { sdkOperations } from "./sdkOperations";

/** A literal of Python, indented like its surroundings. */
export function pythonLiteral(value: unknown, indent = ""): string {
  const inner = `${indent}    `;
  if (value === null || value === undefined) {
    return "None";
  }
  if (typeof value === "boolean") {
    return value ? "True" : "False";
  }
  if (Array.isArray(value)) {
    const items = value.map((item) => `${inner}${pythonLiteral(item, inner)},\n`);
    return items.length === 0 ? "[]" : `[\n${items.join("")}${indent}]`;
  }
  if (typeof value === "object") {
    const items = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => `${inner}${JSON.stringify(key)}: ${pythonLiteral(item, inner)},\n`);
    return items.length === 0 ? "{}" : `{\n${items.join("")}${indent}}`;
  }
  // Every escape of JSON means the same in Python.
  return JSON.stringify(value);
}

/** The parameters in a path, by the template of the operation; absent where it is another operation's. */
function parameters(template: string, path: string): Record<string, string> | undefined {
  const names = template.split("/");
  const parts = path.split("/");
  if (names.length !== parts.length) {
    return undefined;
  }
  const found: Record<string, string> = {};
  for (const [at, name] of names.entries()) {
    const part = parts[at] ?? "";
    if (name.startsWith("{")) {
      found[name.slice(1, -1)] = decodeURIComponent(part);
    } else if (name !== part) {
      return undefined;
    }
  }
  return found;
}

/**
 * A program with the cloud's SDK, which reads what `rollcall up` has written, so that no secret is in what is copied.
 * Absent where the SDK has no such operation, which is so for everything below `/rollcall/v1`.
 */
export function asPython({ method, path, body, instance }: DescribedRequest): string | undefined {
  const url = new URL(path, "https://api");
  for (const [operationMethod, template, name] of sdkOperations) {
    const found = operationMethod === method ? parameters(template, url.pathname) : undefined;
    if (found === undefined) {
      continue;
    }
    // The SDK fills in the project of its credentials.
    delete found["project_id"];
    const given: Record<string, unknown> = {
      ...(instance === undefined ? {} : { instance_id: instance }),
      ...found,
      ...Object.fromEntries(
        [...url.searchParams].map(([key, value]) => [key, /^\d{1,9}$/.test(value) ? Number(value) : value]),
      ),
      ...(body === undefined ? {} : { body }),
    };
    const keywords = Object.entries(given).map(([key, value]) => `    ${key}=${pythonLiteral(value, "    ")},\n`);
    const request = `${name.replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())}Request`;
    return `import json
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkiotda.v5 import IoTDAClient, ${request}

api = json.load(open("rollcall-data/up.json"))["api"]
client = (
    IoTDAClient.new_builder()
    .with_credentials(BasicCredentials(api["access_key"], api["secret_key"], api["project_id"]))
    .with_endpoint(api["url"])
    .with_http_config(HttpConfig(ssl_ca_cert=api["ca_file"]))
    .build()
)
print(client.${name}(${request}(
${keywords.join("")})))
`;
  }
  return undefined;
}
