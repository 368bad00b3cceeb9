import { expect, test } from "vitest";

import { opensslDevice, opensslProof, pkiProof } from "./lines";

test("a name is one word of the shell, whatever is in it", () => {
  expect(opensslDevice("/O=Acme/CN=a'b; rm -rf ~", "a'b; rm -rf ~")[0]).toBe(
    `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/O=Acme/CN=a'\\''b; rm -rf ~' ` +
      `-keyout 'a'\\''b; rm -rf ~.key' -out 'a'\\''b; rm -rf ~.csr'`,
  );
});

test("the proof has the code as its whole common name", () => {
  expect(opensslProof("0a1b")[0]).toContain("-subj /CN=0a1b ");
  expect(pkiProof("0a1b")).toEqual([
    "rollcall pki verification --ca ca.crt --ca-key ca.key --code 0a1b --out proof.crt",
  ]);
});
