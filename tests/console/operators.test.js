// A viewer, an operator, and an operator of one resource space: each sees their own, and is offered what they may do.

import assert from "node:assert/strict";
import { after } from "node:test";

import { liveIn } from "./harness/lived_in.js";
import { scenarios } from "./harness/scenario.js";
import { screens } from "./screens.js";

const DEPOT = "depot";
const BARE = { auth_type: "CERTIFICATES" };

let fleet;
let viewer;
let operator;
let scoped;

/** A second resource space of north with a product and a device, and an operator of it. */
const { scenario } = scenarios({}, async (server) => {
  fleet = await liveIn(server);
  const north = "/rollcall/v1/instances/north";
  await server.api("PUT", `${north}/apps/${DEPOT}`, { body: { app_name: "Depot", default_policy: "none" } });
  const product = {
    product_id: "crane",
    app_id: DEPOT,
    name: "Crane",
    device_type: "Crane",
    protocol_type: "MQTT",
    data_format: "json",
    service_capabilities: [],
  };
  await server.api("POST", "/products", { instance: "north", body: product });
  const crane = { app_id: DEPOT, product_id: "crane", device_id: "crane_1", node_id: "crane_1", auth_info: BARE };
  await server.api("POST", "/devices", { instance: "north", body: crane });
  viewer = await server.operator("vera", "viewer");
  operator = await server.operator("otto", "operator");
  scoped = await server.operator("dora", "operator", { spaces: [DEPOT] });
});
after(() => fleet?.online.stop());

/** What a viewer may press, by its name: it looks elsewhere, shows more, or copies. */
const LOOKING = [
  /^Copy/,
  /^Go to/,
  /^Search/,
  /^Sort by /,
  /^Any: /,
  /^Show /,
  // A dry run changes nothing.
  /^(Pause|Clear|Browse…|Keyboard shortcuts|Debug another certificate|Ask again)$/,
];

scenario("a viewer sees every screen and has no button on any that changes something", {}, async (visitor) => {
  await visitor.signIn(viewer);
  const changing = [];
  for (const { name, path, isOpen } of screens(fleet.ids)) {
    // A password is one's own.
    if (isOpen || name === "account" || name === "not-found") {
      continue;
    }
    await visitor.goTo(path);
    const buttons = visitor.page.getByRole("button", { disabled: false });
    for (const button of await buttons.all()) {
      // What folds and unfolds, a list to choose from, a menu.
      if ((await button.getAttribute("aria-expanded")) !== null) {
        continue;
      }
      const label = (await button.getAttribute("aria-label")) ?? (await button.innerText());
      if (!LOOKING.some((pattern) => pattern.test(label.trim()))) {
        changing.push(`${name}: ${label}`);
      }
    }
    const failures = await visitor.page.getByText("Request id").count();
    assert.equal(failures, 0, `${name} is for a viewer, too`);
  }
  assert.deepEqual(changing, []);
});

scenario("a viewer who opens the address of something new reads why nothing is made", {}, async (visitor) => {
  await visitor.signIn(viewer);
  for (const what of ["templates", "policies", "products", "spaces"]) {
    await visitor.goTo(`/instances/north/${what}/new`);
    await visitor.page.getByText("Your role is that of a viewer").waitFor();
    assert.equal(await visitor.page.getByRole("textbox").count(), 0, what);
  }
});

scenario(
  "an operator has the buttons that a viewer has not, and only an administrator's are missing",
  {},
  async (visitor) => {
    await visitor.signIn(operator);
    for (const [path, label] of [
      ["/instances/north/spaces", "Create a resource space"],
      ["/instances/north/products", "Create a product"],
      ["/instances/north/policies", "Create a policy"],
      ["/instances/north/templates", "New template"],
    ]) {
      await visitor.goTo(path);
      await visitor.page.getByRole("link", { name: label }).waitFor();
    }
    await visitor.goTo("/instances/north/devices/truck_truck-0001");
    await visitor.page.getByRole("button", { name: "Freeze" }).waitFor();
  },
);

scenario("an operator of one resource space finds no device of another", {}, async (visitor) => {
  const { page } = visitor;
  await visitor.signIn(scoped);
  await visitor.goTo("/instances/north/devices");
  await page.getByRole("link", { name: "crane_1" }).waitFor();
  await page.getByText("1 device", { exact: true }).waitFor();
  assert.equal(await page.getByText("truck_").count(), 0, "in the list");

  await page.getByRole("searchbox").fill("truck");
  await page.getByText("No device fits these filters.").waitFor();

  await page.keyboard.press("Control+k");
  const asked = page.waitForResponse((answer) => new URL(answer.url()).searchParams.get("prefix") === "truck_");
  await Promise.all([asked, page.getByRole("dialog").locator("input").fill("truck_")]);
  await page.getByText("Nothing found").waitFor();
  assert.equal(await page.getByRole("option").count(), 0, "in the palette");
  await page.keyboard.press("Escape");

  visitor.tolerated.push(/\b40[34]\b.*truck_truck-0001/s);
  await visitor.goTo("/instances/north/devices/truck_truck-0001");
  await page.getByText("There is no device by this id.").waitFor();
  assert.equal(await page.getByText("Acme").count(), 0, "by its address");
});

scenario("an operator of one resource space reads what they may not hear", {}, async (visitor, server) => {
  const { page } = visitor;
  await visitor.signIn(scoped);
  await visitor.goTo("/instances/north/attempts");
  await page.getByText("Attempts are seen by operators who may see the whole instance").waitFor();
  await visitor.goTo("/instances/north/live");
  await page.getByText("Refusals are heard by operators who may see the whole instance.").waitFor();
  assert.ok(await page.getByLabel("Refusals").isDisabled());

  await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
  const change = (device, name) =>
    server.api("PUT", `/devices/${device}`, { instance: "north", body: { device_name: name } });
  await change("truck_truck-0002", "elsewhere");
  await change("crane_1", "here");
  await page.getByRole("row").filter({ hasText: "crane_1" }).first().waitFor();
  assert.equal(await page.getByRole("row").filter({ hasText: "truck_" }).count(), 0, "a device of another space");
});

scenario("an operator of one resource space sees no failure on any screen of theirs", {}, async (visitor) => {
  await visitor.signIn(scoped);
  const failed = [];
  for (const { name, path, isOpen } of screens(fleet.ids)) {
    // Each is of the other resource space, and answered as what is not there.
    const isElsewhere = /^(device|template|policy|product|space|ca-certificate|debug-attempt)(-|$)/.test(name);
    if (isOpen || isElsewhere) {
      continue;
    }
    await visitor.goTo(path);
    const failures = await visitor.page.getByRole("alert").filter({ hasText: "Request id" }).allInnerTexts();
    failed.push(...failures.map((text) => `${name}: ${text}`));
  }
  assert.deepEqual(failed, []);
});
