// What an operator does in a fleet that lives: tells instances apart, explains and mends a refusal, closes a session, watches a
// device, and all of it without a mouse.

import assert from "node:assert/strict";

import { certificate, connect, publish } from "./harness/devices.js";
import { scenarios } from "./harness/scenario.js";
import { until } from "./harness/wait.js";

const report = (rpm) => JSON.stringify({ services: [{ service_id: "engine", properties: { rpm } }] });
const reports = (device) => `$oc/devices/truck_${device.name}/sys/properties/report`;

/** By name, each with its certificate and key. */
const trucks = {};

const { scenario } = scenarios({}, async (server) => {
  for (const name of ["truck-0011", "truck-0012", "truck-0013"]) {
    trucks[name] = await certificate(server, name, `/CN=${name}/O=Acme`);
    assert.ok(await publish(server, trucks[name], reports(trucks[name]), report(1)), server.errors());
  }
  const meter = connect(server, await certificate(server, "meter-0021", "/CN=meter-0021"), "south", 0);
  assert.equal(await meter.ended, 0, meter.output());
});

scenario("two instances are kept apart", { tolerated: [/\b404\b/] }, async (visitor) => {
  const { page } = visitor;
  await visitor.signIn();
  await visitor.goTo("/instances/north/devices");
  await page.getByRole("link", { name: "truck_truck-0011" }).waitFor();
  assert.equal(await page.getByText("meter-0021").count(), 0);

  await page.getByRole("combobox", { name: "Instance" }).click();
  await page.getByRole("option", { name: "south" }).click();
  await page.getByRole("link", { name: "meter_meter-0021" }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/console/instances/south/devices");
  assert.equal(await page.getByText("truck-00").count(), 0);
  for (const what of ["truck-0011", "truck_truck-0011", "kind=truck"]) {
    await page.getByRole("searchbox").fill(what);
    await page.getByText("No device fits these filters.").waitFor();
    await page.getByRole("button", { name: "Show all devices" }).click();
    await page.getByRole("link", { name: "meter_meter-0021" }).waitFor();
  }
  await visitor.goTo("/instances/south/devices/truck_truck-0011");
  await page.getByText(/^There is no device by this id\./).waitFor();
  await page.getByText("Nothing is known of a device by this id.").waitFor();

  const own = {
    products: ["Truck", "Meter"],
    spaces: ["Vehicles", "Meters"],
    templates: ["truck_by_common_name", "meter_by_common_name"],
  };
  for (const [screen, names] of Object.entries(own)) {
    for (const [instance, name, others] of [
      ["north", ...names],
      ["south", ...names.toReversed()],
    ]) {
      await visitor.goTo(`/instances/${instance}/${screen}`);
      const main = page.getByRole("main");
      await main.getByText(name, { exact: true }).first().waitFor();
      assert.equal(await main.getByText(others, { exact: true }).count(), 0, `${others} in ${screen} of ${instance}`);
    }
  }
  for (const thing of ["products/truck", "templates/truck-by-common-name", "policies/truck-topics"]) {
    await visitor.goTo(`/instances/south/${thing}`);
    await page
      .getByRole("alert")
      .getByText(/does not exist|no such|not found|no .* by this id/i)
      .first()
      .waitFor();
  }
});

scenario(
  "a refused device is explained, what refused it is mended, and it is tried again",
  {},
  async (visitor, server) => {
    const { page } = visitor;
    const press = (name) => page.getByRole("button", { name, exact: true }).click();
    await visitor.signIn();
    await visitor.goTo("/instances/north/attempts");
    await page.getByText(/^Nothing was refused in this time\./).waitFor();
    const stranger = await certificate(server, "truck-0666", "/CN=truck-0666");
    assert.equal(await publish(server, stranger, reports(stranger), report(1)), false);

    // The list hears of it by itself; its group and its code explain it.
    const groups = page.getByRole("table", { name: "In groups" });
    await groups.getByRole("link").first().click();
    await page.getByText("1 attempt", { exact: true }).waitFor();
    const group = page.url();
    const code = page
      .getByRole("main")
      .getByRole("link", { name: /^[a-z_]+$/ })
      .first();
    const name = await code.textContent();
    await page
      .getByText(/O cannot be used: it is not in the Subject$/)
      .first()
      .waitFor();
    await code.click();
    await page.getByRole("heading", { level: 1, name }).waitFor();
    await page.goBack();

    await visitor.goTo("/instances/north/debug");
    await visitor.drop("Device certificate (PEM)", stranger.crt);
    await page.getByRole("heading", { name: "Not let in now" }).waitFor();
    await page.getByText("✗ Failed").first().waitFor();
    await page.getByRole("heading", { name: "Why, and what to do" }).waitFor();
    assert.ok(await page.getByRole("button", { name: /^Replay attempt/ }).isDisabled(), "it would be refused again");

    await page.getByRole("main").getByRole("link", { name: "Template", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "truck_by_common_name" }).waitFor();
    await visitor.drop("Device certificate (PEM)", stranger.crt);
    await page.getByRole("cell", { name: "it is not in the Subject" }).waitFor();
    await page.getByRole("switch", { name: "Organization (O)" }).click();
    await page.getByText("No device has this id: it would register.").waitFor();
    await press("Review and save");
    const review = page.getByRole("dialog");
    await review.getByText("iotda::certificate::organization").first().waitFor();
    await review.getByText("3 unchanged", { exact: true }).waitFor();
    await review.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("The template is saved.").waitFor();

    await page.goto(group);
    await visitor.settled();
    await press("Try all again");
    await page.getByRole("dialog").getByRole("button", { name: "Try again", exact: true }).click();
    await page.getByText("1 accepted", { exact: true }).waitFor();
    await page
      .getByRole("row", { name: /truck-0666/ })
      .getByText(/^Accepted, position \d+$/)
      .waitFor();
    await visitor.goTo("/instances/north/devices?q=truck_truck-0666");
    await page.getByRole("link", { name: "truck_truck-0666" }).click();
    await page.getByRole("heading", { level: 1, name: "truck_truck-0666" }).waitFor();
    await page.getByText(/by itself$/).waitFor();
    assert.ok(await publish(server, stranger, reports(stranger), report(1)), "and it connects");
  },
);

scenario("freezing a device closes its session, which its page shows", {}, async (visitor, server) => {
  const { page } = visitor;
  const dialog = page.getByRole("dialog");
  const truck = trucks["truck-0012"];
  await visitor.signIn();
  await visitor.goTo("/instances/north/devices/truck_truck-0012");
  const status = page.getByRole("main").getByText("Online", { exact: true });
  const session = connect(server, truck, "north", 600);
  try {
    await status.waitFor();
    await page.getByRole("button", { name: "Freeze", exact: true }).click();
    await dialog.getByText("Its session, which is open now, is closed at once.").waitFor();
    assert.ok(session.isOpen(), "nothing is done by asking");
    await dialog.getByRole("button", { name: "Freeze the device" }).click();
    await dialog.getByText("Its session is closed: it is offline.").waitFor();
    await session.ended;
    await dialog.getByRole("button", { name: "Close" }).last().click();
    await page.getByRole("main").getByText("Frozen", { exact: true }).first().waitFor();
    assert.equal(await publish(server, truck, reports(truck), report(2)), false);
    await page.getByRole("tab", { name: "Timeline" }).click();
    await page.getByText("device_frozen").first().waitFor();
  } finally {
    session.stop();
  }

  await page.getByRole("tab", { name: "Overview" }).click();
  await page.getByRole("button", { name: "Unfreeze", exact: true }).click();
  await dialog.getByRole("button", { name: "Unfreeze the device" }).click();
  await dialog.getByText("The device is unfrozen.").waitFor();
  await dialog.getByRole("button", { name: "Close" }).last().click();
  const again = connect(server, truck, "north", 600);
  try {
    await status.waitFor();
  } finally {
    again.stop();
  }
  await page.getByRole("main").getByText("Offline", { exact: true }).waitFor();
});

scenario("what a device sends appears on its page as it sends it", {}, async (visitor, server) => {
  const { page } = visitor;
  const truck = trucks["truck-0013"];
  await visitor.signIn();
  await visitor.goTo("/instances/north/devices/truck_truck-0013?tab=uplinks");
  const sends = page.getByRole("region", { name: "What it sends" });
  await sends.getByRole("status").getByText("Live", { exact: true }).waitFor();
  const entries = sends.getByRole("listitem");
  await entries.first().waitFor();
  assert.equal(await page.getByText("4711").count(), 0);
  assert.ok(await publish(server, truck, reports(truck), report(4711)));
  await entries.first().getByText("4711").waitFor();
});

scenario("the keyboard alone leads to a screen, to a device, and back", {}, async (visitor) => {
  const { page } = visitor;
  const { keyboard } = page;
  const focused = () => page.evaluate(() => document.activeElement?.textContent ?? "");
  await page.goto("/console/sign-in");
  await page.getByLabel("Operator").waitFor();
  const { operator, password } = visitor.server.administrator;
  await keyboard.press("Tab");
  await keyboard.type(operator);
  await keyboard.press("Tab");
  await keyboard.type(password);
  await keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Instances" }).waitFor();

  /** The palette, by what is typed into it. */
  const goByPalette = async (text, option, heading) => {
    await keyboard.press("Control+k");
    await page.getByRole("dialog", { name: "Go to…" }).waitFor();
    await keyboard.type(text);
    await page.locator("[role=option][data-combobox-selected]", { hasText: option }).waitFor();
    await keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    await visitor.settled();
  };
  await goByPalette("north", "north", "Devices");
  await goByPalette("temp", "Templates", "Templates");
  await goByPalette("devi", "Devices", "Devices");

  await page.getByRole("link", { name: "truck_truck-0013" }).waitFor();
  await keyboard.press("/");
  await keyboard.type("truck_truck-0012");
  await page.getByText("1 device", { exact: true }).waitFor();
  await keyboard.press("Escape");
  await page.getByRole("link", { name: "truck_truck-0013" }).waitFor();
  await keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), "BODY", "the search is left");

  const rows = await page.getByRole("link", { name: /^truck_truck-/ }).allTextContents();
  for (const [key, row] of [
    ["j", rows[0]],
    ["j", rows[1]],
    ["k", rows[0]],
  ]) {
    await keyboard.press(key);
    await until(`${row} to have the focus`, async () => (await focused()) === row);
  }
  await keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: rows[0] }).waitFor();

  await keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
});
