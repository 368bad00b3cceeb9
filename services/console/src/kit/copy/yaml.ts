/** What YAML would read as something else than the same text, or not at all. */
const PLAIN = /^[A-Za-z_/$][\w./$-]*$/;
const RESERVED = /^(?:true|false|null|yes|no|on|off|y|n)$/i;

function scalar(value: unknown): string {
  if (typeof value === "string") {
    if (PLAIN.test(value) && !RESERVED.test(value)) {
      return value;
    }
    // A JSON text is a double-quoted scalar of YAML, but for the characters that YAML takes for line ends or not at all.
    return JSON.stringify(value).replace(
      /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
      (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  }
  return JSON.stringify(value ?? null);
}

function isNested(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

function lines(value: unknown): string[] {
  if (Array.isArray(value) && value.length > 0) {
    return value.flatMap((item) => {
      const [first = "", ...rest] = lines(item);
      return [`- ${first}`, ...rest.map((line) => `  ${line}`)];
    });
  }
  const entries =
    isNested(value) && !Array.isArray(value) ? Object.entries(value).filter(([, item]) => item !== undefined) : [];
  if (entries.length > 0) {
    return entries.flatMap(([key, item]: [string, unknown]) => {
      const inner = lines(item);
      return isNested(item)
        ? [`${scalar(key)}:`, ...inner.map((line) => `  ${line}`)]
        : [`${scalar(key)}: ${inner.join("")}`];
    });
  }
  return [scalar(value)];
}

/** A document of YAML: what JSON can say, in blocks. */
export function asYaml(value: unknown): string {
  return `${lines(value).join("\n")}\n`;
}
