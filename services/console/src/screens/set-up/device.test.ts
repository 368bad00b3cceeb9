import { expect, test } from "vitest";

import { mosquittoLine } from "./device";

const connection = { host: "localhost", port: 8883, ca: "ca.crt", files: "keys/device 1" };

test("the line reports as the device that the certificate becomes, whatever the names hold", () => {
  const [, , topic, message] = mosquittoLine(connection, "meter_device-1");
  expect(topic).toBe(`  -i 'device 1' -q 1 -t '$oc/devices/meter_device-1/sys/properties/report' \\`);
  expect(message).toContain(`-m '{"services":`);
});

test("where the device is not known, the line needs no id", () => {
  expect(mosquittoLine(connection, undefined).slice(2)).toEqual(["  -i 'device 1' -q 1 -t hello \\", "  -m hello"]);
});
