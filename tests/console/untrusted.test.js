// What devices, certificates and operators write, on every screen that shows it: text, and never more.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { promisify } from "node:util";

import { certificate, publish } from "./harness/devices.js";
import { liveIn } from "./harness/lived_in.js";
import { scenarios } from "./harness/scenario.js";
import { screens } from "./screens.js";

const run = promisify(execFile);

const MARKUP = "<img src=x onerror=window.breached=1>";
const CORPUS = [
  MARKUP,
  '"><svg onload=window.breached=1>',
  "<script>window.breached=1<\\/script>".replace("\\", ""),
  "'-window.breached=1-'${window.breached=1}{{window.breached=1}}",
  "javascript:window.breached=1",
  "[link](javascript:window.breached=1)",
];
/** Right-to-left override: what follows would be read backwards. */
const BIDI = "fdp\u202Eexe.gpj";
const BIDI_SHOWN = "fdp⟨U+202E⟩exe.gpj";
const BIDI_CONTROLS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
const LONG = "l".repeat(60);
const MEGABYTE = `${"m".repeat(999_990)} the end`;

const subject = (...parts) => parts.map(([name, text]) => `/${name}=${text.replaceAll(/[\\/+]/g, "\\$&")}`).join("");

let fleet;
let hostile;
const { scenario } = scenarios({}, async (server) => {
  fleet = await liveIn(server);
  const north = { instance: "north" };
  const report = (device, topic, message) => publish(server, device, topic, message);

  // Registered: the template takes the node id from CN alone. Refused: that is no node id.
  const truck = await certificate(server, "truck-0100", subject(["CN", "truck-0100"], ["O", MARKUP], ["OU", BIDI]));
  const topics = "$oc/devices/truck_truck-0100";
  const own = `${topics}/user/state`;
  for (const text of [...CORPUS, BIDI]) {
    assert.ok(await report(truck, own, text), server.errors());
  }
  const file = join(server.folder, "megabyte");
  writeFileSync(file, MEGABYTE);
  assert.ok(await report(truck, own, { file }), server.errors());
  const services = [{ service_id: "engine", properties: { [MARKUP]: MARKUP, name: BIDI }, event_time: null }];
  assert.ok(await report(truck, `${topics}/sys/properties/report`, JSON.stringify({ services })));
  for (const [at, text] of [...CORPUS, BIDI].entries()) {
    const refused = await certificate(server, `refused-${at}`, subject(["CN", text], ["O", "Acme"]));
    assert.equal(await report(refused, "any", "any"), false, text);
  }
  const long = Array.from({ length: 12 }, () => ["OU", LONG]);
  assert.equal(await report(await certificate(server, "long", subject(["CN", "+"], ...long)), "any", "any"), false);

  await offerNames(server);
  const messages = "/devices/truck_truck-0100/messages";
  for (const message of [...CORPUS, BIDI, MEGABYTE.slice(0, 200_000)]) {
    await server.api("POST", messages, { ...north, body: { message } }).catch(onlyRefused);
  }
  const policy = await offerPolicies(server);
  const upload = async (commonName, at) => {
    const content = await ownCa(server, `hostile-ca-${at}`, commonName);
    const { certificate_id } = await server.api("POST", "/certificates", {
      ...north,
      body: { content, app_id: "vehicles" },
    });
    return certificate_id;
  };
  hostile = { policy, ca: await upload(MARKUP, 0), nameless: await upload(BIDI, 1) };
});
after(() => fleet?.online.stop());

function onlyRefused(error) {
  assert.match(error.message, /: 4\d\d /);
}

/** Names as far as the API takes them. */
async function offerNames(server) {
  const north = { instance: "north" };
  for (const name of [...CORPUS, BIDI]) {
    const details = { device_type: name, protocol_type: "MQTT", data_format: "json", manufacturer_name: name };
    const product = { app_id: "vehicles", name, description: name, ...details, service_capabilities: [] };
    await server.api("POST", "/products", { ...north, body: product }).catch(onlyRefused);
    await server.api("POST", "/apps", { ...north, body: { app_name: name } }).catch(onlyRefused);
    const change = { device_name: name, description: name };
    await server.api("PUT", "/devices/truck_truck-0100", { ...north, body: change }).catch(onlyRefused);
    const tags = {
      resource_type: "device",
      resource_id: "truck_truck-0100",
      tags: [{ tag_key: "k", tag_value: name }],
    };
    await server.api("POST", "/tags/bind-resource", { ...north, body: tags }).catch(onlyRefused);
    await server
      .api("PUT", "/provisioning-templates/truck-by-common-name", { ...north, body: { description: name } })
      .catch(onlyRefused);
  }
}

/** Policies of such texts as far as the API takes them; the last that it took, which is one of braces, for it takes no other markup. */
async function offerPolicies(server) {
  let taken;
  for (const [at, text] of [...CORPUS, BIDI, "{{window.breached=1}}/${window.breached}"].entries()) {
    const statement = [{ effect: "ALLOW", actions: ["iotda:devices:publish"], resources: [`topic:${text}`] }];
    const body = { policy_name: `hostile_${at}`, app_id: "vehicles", statement };
    taken = (await server.api("POST", "/device-policies", { instance: "north", body }).catch(onlyRefused)) ?? taken;
  }
  assert.ok(taken, "some text is taken");
  return taken.policy_id;
}

/** A CA of such a name. */
async function ownCa(server, name, commonName) {
  const [key, crt] = ["key", "crt"].map((extension) => join(server.folder, `${name}.${extension}`));
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
  const own = ["-x509", ...curve, "-nodes", "-keyout", key, "-out", crt, "-days", "30"];
  await run("openssl", ["req", "-utf8", ...own, "-subj", subject(["CN", commonName])]);
  return readFileSync(crt, "utf8");
}

/** That nothing ran, nothing became an element, and nothing is seen otherwise than it is written. */
async function isText(visitor, where) {
  const { breached, elements, shown } = await visitor.page.evaluate(() => ({
    breached: window.breached,
    elements: document.querySelectorAll("img[src=x], svg[onload], [onerror], a[href^='javascript']").length,
    shown: `${document.title} ${document.body.innerText}`,
  }));
  assert.equal(breached, undefined, where);
  assert.equal(elements, 0, where);
  assert.doesNotMatch(shown, BIDI_CONTROLS, where);
}

scenario("no screen runs or hides what a certificate, a device or an operator wrote", {}, async (visitor) => {
  await visitor.signIn();
  const { ca, nameless, policy } = hostile;
  const all = screens(fleet.ids).filter(({ isOpen }) => !isOpen);
  const own = all.map(({ name, path }) => ({ name, path: path.replace("truck_truck-0001", "truck_truck-0100") }));
  own.push({ name: "hostile CA", path: `/instances/north/ca-certificates/${ca}` });
  own.push({ name: "nameless CA", path: `/instances/north/ca-certificates/${nameless}` });
  own.push({ name: "hostile policy", path: `/instances/north/policies/${policy}` });
  const wide = [];
  for (const { name, path } of own) {
    await visitor.goTo(path);
    await isText(visitor, name);
    await visitor.page.setViewportSize({ width: 360, height: 800 });
    wide.push(...((await visitor.overflow()) > 0 ? [name] : []));
    await visitor.page.setViewportSize({ width: 1280, height: 900 });
  }
  assert.deepEqual(wide, [], "wider than 360 pixels");
});

scenario("subjects are shown as they are, in attempts and when one is debugged", {}, async (visitor, server) => {
  const { page } = visitor;
  await visitor.signIn();
  await visitor.goTo("/instances/north/attempts");
  await page.getByText(MARKUP).first().waitFor();
  const { attempts } = await server.api("GET", "/rollcall/v1/instances/north/attempts?limit=50");
  const certificates = attempts.filter(({ certificate }) => certificate?.subject !== undefined);
  assert.ok(certificates.length > CORPUS.length);
  for (const { position } of certificates) {
    await visitor.goTo(`/instances/north/debug?attempt=${position}`);
    await isText(visitor, `attempt ${position}`);
  }
});

scenario(
  "a CA is called what can be shown of its name, where it is chosen and where it is typed",
  {},
  async (visitor) => {
    const { page } = visitor;
    await visitor.signIn();
    await visitor.goTo("/instances/north/devices");
    await page.getByRole("searchbox").waitFor();
    await page.getByPlaceholder("CA certificate").click();
    await page.getByRole("option").filter({ hasText: MARKUP }).waitFor();
    // The API gives no CN of invisible characters, and so there is none to show.
    await page.getByRole("option").filter({ hasText: hostile.nameless }).waitFor();
    await isText(visitor, "the filter");
    for (const [ca, name] of [
      [hostile.ca, MARKUP],
      [hostile.nameless, hostile.nameless],
    ]) {
      await visitor.goTo(`/instances/north/ca-certificates/${ca}`);
      await page.getByRole("heading", { level: 1 }).filter({ hasText: name }).waitFor();
      await page.getByRole("button", { name: /^Delete/ }).click();
      const dialog = page.getByRole("dialog");
      const confirm = dialog.locator("button[type=submit]");
      await confirm.waitFor();
      assert.ok(await confirm.isDisabled(), "its name is to be typed first");
      await dialog.getByLabel(`Type ${name} to confirm`).fill(name);
      assert.ok(await confirm.isEnabled());
      await isText(visitor, "the dialog");
    }
  },
);

scenario("payloads are text, and a megabyte is cut until all of it is asked for", {}, async (visitor) => {
  const { page } = visitor;
  await visitor.signIn();
  await visitor.goTo("/instances/north/devices/truck_truck-0100?tab=uplinks");
  for (const text of [...CORPUS, BIDI_SHOWN]) {
    await page.locator("pre").filter({ hasText: text }).first().waitFor();
  }
  const large = page.locator("li").filter({ hasText: "mmmm" });
  const shown = async () => (await large.locator("pre").innerText()).length;
  assert.ok((await shown()) < 10_000, `${await shown()} characters at once`);
  await large.getByRole("button", { name: "Show all" }).click();
  await large.locator("pre").filter({ hasText: "the end" }).waitFor();
  assert.equal(await shown(), MEGABYTE.length);
  await large.getByRole("button", { name: "Show less" }).click();
  assert.ok((await shown()) < 10_000);
});

scenario("values of a shadow are text", {}, async (visitor) => {
  await visitor.signIn();
  await visitor.goTo("/instances/north/devices/truck_truck-0100?tab=shadow");
  await visitor.page.getByText(MARKUP).first().waitFor();
  await visitor.page.getByText(BIDI_SHOWN).first().waitFor();
});

scenario("what is refused while the live screen is open is text there, too", {}, async (visitor, server) => {
  await visitor.signIn();
  await visitor.goTo("/instances/north/live");
  await visitor.page.getByRole("status").filter({ hasText: "Live" }).waitFor();
  const device = await certificate(server, "refused-live", subject(["CN", MARKUP], ["O", BIDI]));
  assert.equal(await publish(server, device, "any", "any"), false);
  await visitor.page.getByText(MARKUP).first().waitFor();
  await isText(visitor, "live");
});
