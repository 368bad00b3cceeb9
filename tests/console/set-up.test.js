// The procedure in the console alone: from an instance with nothing in it to its first device online.

import assert from "node:assert/strict";

import { scenarios } from "./harness/scenario.js";
import { Terminal } from "./harness/terminal.js";

/** Signing in included; typing and dropping files are none. */
const CLICKS_MAX = 12;

const { scenario } = scenarios({ fleet: null });

scenario("a server without an instance says how to make one, and the line makes it", {}, async (visitor, server) => {
  const { page } = visitor;
  await visitor.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await visitor.signIn();
  await page.getByRole("button", { name: "Copy an example as…" }).click();
  await page.getByRole("menuitem", { name: "curl" }).click();
  await page.getByText("Copied as curl").waitFor();
  const line = await page.evaluate(() => navigator.clipboard.readText());
  const { url, ca_file: ca } = server.up.api;
  await new Terminal(server, "curl").run(line, { api: url, ca, token: await server.token() });
  await page.reload();
  await page.getByRole("article", { name: "north" }).waitFor();
});

/** Counts what the pointer presses, on every page that comes, and not what a test believes to press. */
async function countClicks({ context }) {
  let count = 0;
  await context.exposeBinding("__pressed", () => (count += 1));
  await context.addInitScript(() => {
    window.addEventListener("pointerdown", ({ isTrusted }) => isTrusted && window.__pressed(), { capture: true });
  });
  return () => count;
}

scenario("from an empty instance to a first device online in at most 12 clicks", {}, async (visitor, server) => {
  const instance = { id: "west", access_domain: "localhost", edition: "standard", region: "local" };
  await server.api("POST", "/rollcall/v1/instances", { body: instance });
  // It is announced with the address of its connector from the next start on.
  await server.restart();

  const { page } = visitor;
  const clicks = await countClicks(visitor);
  const terminal = new Terminal(server);
  const press = (name) => page.getByRole("button", { name, exact: true }).click();
  const lines = (label) => page.getByLabel(label, { exact: true }).textContent();
  /** The step says so, and still does to somebody who comes back later. */
  const isDone = async (step) => {
    const title = page.getByRole("button", { name: new RegExp(`^${step}\\s*Done$`) });
    await title.waitFor();
    await page.reload();
    await visitor.settled();
    await title.waitFor();
  };

  await visitor.goTo("/");
  await visitor.enter();
  await page.getByRole("article", { name: "west" }).getByRole("link", { name: "Set up self-registration" }).click();

  await page.getByLabel("Name").fill("Meters");
  await press("Create the resource space");
  await isDone("Resource space");

  await page.getByLabel("Product name").fill("Flow meter");
  await press("Create the product");
  await isDone("Product");

  await press("Create the template");
  await isDone("Template");

  await press("Create the policy and bind it");
  await isDone("Topic policy");

  await terminal.run(await lines("A CA to try things out with (OpenSSL)"));
  await visitor.drop("CA certificate (PEM or DER)", terminal.file("ca.crt"));
  await press("Upload");
  await isDone("CA certificate");

  await terminal.run(await lines("With OpenSSL, where ca.crt and ca.key are"));
  await visitor.drop("The certificate made so (proof.crt)", terminal.file("proof.crt"));
  await isDone("Proof of possession");

  await press("Bind and enable");
  await isDone("Bind and enable");

  await terminal.run(await lines("A device certificate with OpenSSL, where ca.crt and ca.key are"));
  await visitor.drop("Device certificate (PEM or DER)", terminal.file("device-0001.crt"));
  await page.getByText(/^It would become the device .*device-0001\.$/).waitFor();
  await page.getByRole("link", { name: "Connect the device" }).click();

  const { mqtts_address: address } = server.up.instances.find(({ id }) => id === "west");
  await page.getByLabel("MQTT port").fill(address.split(":").at(-1));
  await page.getByLabel("File of the CA certificate that the server's leads to").fill(server.up.api.ca_file);
  await page.getByText("Waiting for the first device…").waitFor();
  const [withRollcall, withMosquitto] = [await lines("With rollcall"), await lines("With mosquitto_pub")];
  const disconnect = terminal.start(`${withRollcall} --listen-s 600`);
  try {
    await page.getByText(/^Device .*device-0001 has registered itself\.$/).waitFor();
    await isDone("Debug a device certificate");
    await isDone("First device");
    await page.getByRole("link", { name: "Show the device" }).click();
    await page.getByRole("heading", { level: 1, name: /device-0001$/ }).waitFor();
    await page.getByText("Online", { exact: true }).waitFor();
  } finally {
    disconnect();
  }
  console.log(`${clicks()} clicks`);
  assert.ok(clicks() > 0 && clicks() <= CLICKS_MAX, `${clicks()} clicks`);
  await page.getByText("Offline", { exact: true }).waitFor();

  // The other line connects it, too.
  await terminal.run(withMosquitto);
});
