import { expect, test } from "vitest";

import { chainOf } from "./chain";
import { debugSearch } from "./search";

test("the chain of an attempt becomes PEM, in its order", () => {
  const pem = (base64: string) => `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
  expect(chainOf({ body: { chain: ["MAA=", "MAEA"] } })).toBe(pem("MAA=") + pem("MAEA"));
});

test("an operator's change has no certificate to debug", () => {
  for (const request of [
    undefined,
    {},
    { body: { command: {} } },
    { body: { chain: [] } },
    { body: { chain: ["!"] } },
  ]) {
    expect(chainOf(request)).toBeUndefined();
  }
});

test.each([
  [{ attempt: 7 }, { attempt: 7 }],
  [{ attempt: "7" }, { attempt: 7 }],
  [{ attempt: "x" }, {}],
  [{ attempt: -1 }, {}],
  [{}, {}],
])("of %j the URL carries %j", (search, carried) => {
  expect(debugSearch(search)).toEqual(carried);
});
