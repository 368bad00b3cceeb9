import { execFileSync } from "node:child_process";

import { describe, expect, it } from "vitest";

import { asCurl, shellWord } from "./curl";
import { asPython, pythonLiteral } from "./python";
import { asYaml } from "./yaml";

/** What a device, a certificate or an operator may have written. */
const HOSTILE = [
  `O'Brien"; rm -rf $HOME; \`id\` $(id) \\ !`,
  "@/etc/passwd",
  "",
  "true",
  "- a: b",
  "line\nline\r\n",
  "\u2028\u0085é😀",
];

describe("shell", () => {
  it.each(HOSTILE)("keeps %j one word", (text) => {
    // NUL ends it, for a line end would be cut.
    const said = execFileSync("/bin/sh", ["-c", `printf '%s.' ${shellWord(text)}`], { encoding: "utf8" });
    expect(said).toBe(`${text}.`);
  });

  it("names the instance and sends the body as it is", () => {
    const text = asCurl({ method: "POST", path: "/v5/iot/p/apps", body: { app_name: "O'Brien" }, instance: "north" });
    expect(text).toBe(`curl -sS --fail-with-body --cacert "$ca" -H "X-Auth-Token: $token" \\
  -H 'Instance-Id: north' \\
  "$api"/v5/iot/p/apps \\
  -H 'Content-Type: application/json' \\
  --data-raw '{
  "app_name": "O'\\''Brien"
}'
`);
  });

  it("names a method that curl would not take by itself", () => {
    expect(asCurl({ method: "GET", path: "/x?a=1&b=2" })).not.toContain("-X");
    expect(asCurl({ method: "GET", path: "/x?a=1&b=2" })).toContain(`"$api"'/x?a=1&b=2'`);
    expect(asCurl({ method: "POST", path: "/x" })).toContain("-X POST");
    expect(asCurl({ method: "PUT", path: "/x", body: 1 })).toContain("-X PUT");
  });
});

describe("Python", () => {
  it("has the SDK's operation, with the parameters of path and query", () => {
    const text = asPython({
      method: "POST",
      path: "/v5/iot/p/certificates/c%201/action?action_id=verify",
      body: { verify_content: "-----BEGIN\n", deep: [true, null, { a: [] }] },
      instance: "north",
    });
    expect(text).toContain("import IoTDAClient, CheckCertificateRequest\n");
    expect(text).toContain(`print(client.check_certificate(CheckCertificateRequest(
    instance_id="north",
    certificate_id="c 1",
    action_id="verify",
    body={
        "verify_content": "-----BEGIN\\n",
        "deep": [
            True,
            None,
            {
                "a": [],
            },
        ],
    },
)))`);
  });

  it("has no operation of Rollcall's own", () => {
    expect(asPython({ method: "GET", path: "/rollcall/v1/instances" })).toBeUndefined();
    expect(asPython({ method: "PATCH", path: "/v5/iot/p/apps" })).toBeUndefined();
  });

  it("quotes", () => {
    expect(pythonLiteral(`a"b\\c\n`)).toBe(String.raw`"a\"b\\c\n"`);
  });
});

describe("YAML", () => {
  it("is a fleet file in blocks", () => {
    const fleet = {
      instances: [
        {
          id: "north",
          resource_spaces: [
            { id: "vehicles", name: "O'Brien: #1", products: [{ id: "truck", data: undefined }], policies: [] },
          ],
        },
      ],
    };
    expect(asYaml(fleet)).toBe(`instances:
  - id: north
    resource_spaces:
      - id: vehicles
        name: "O'Brien: #1"
        products:
          - id: truck
        policies: []
`);
  });

  it("quotes what would be something else", () => {
    expect(
      asYaml({ a: "true", b: "1.0", c: "", d: "- x", e: true, f: null, g: 1.5, h: "NO", "iotda::x": "${a}" }),
    ).toBe(`a: "true"\nb: "1.0"\nc: ""\nd: "- x"\ne: true\nf: null\ng: 1.5\nh: "NO"\n"iotda::x": "\${a}"\n`);
    expect(asYaml("\u0085\u2028")).toBe(`"\\u0085\\u2028"\n`);
  });
});
