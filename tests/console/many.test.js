// A fleet of many devices in the list: searched, filtered, scrolled to its end, and downloaded whole.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent } from "node:https";

import { scenarios } from "./harness/scenario.js";
import { until } from "./harness/wait.js";

/** How many there are; they are made at some hundred a second. */
const DEVICES = Number(process.env.ROLLCALL_TEST_DEVICES ?? 20_000);
/** A request rate holds for each operator. */
const OPERATORS = 8;
const REQUESTS_AT_ONCE = 32;
/** Rows of the table that are made for a window of this size, at most. */
const ROWS_MAX = 120;

const id = (number) => `pre_${number.toString().padStart(6, "0")}`;

const { scenario } = scenarios({}, async (server) => {
  const begun = performance.now();
  const made = Array.from({ length: OPERATORS }, (_, at) => server.operator(`maker-${at}`, "operator"));
  const operators = await Promise.all(made);
  let next = 0;
  const worker = async (_, at) => {
    const as = operators[at % OPERATORS];
    for (let number = next++; number < DEVICES; number = next++) {
      await preRegister(server, as, number);
    }
  };
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, worker));
  const { devices } = await server.api("GET", "/rollcall/v1/instances/north/overview");
  assert.equal(devices.total, DEVICES);
  console.log(`${DEVICES} devices in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
});

const agent = new Agent({ keepAlive: true, maxSockets: REQUESTS_AT_ONCE });

/** Adds one; again where the rate of requests is spent. */
async function preRegister(server, as, number) {
  const body = {
    app_id: "vehicles",
    product_id: "truck",
    device_id: id(number),
    node_id: id(number),
    auth_info: { auth_type: "CERTIFICATES", fingerprint: number.toString(16).padStart(64, "0") },
  };
  await until(`${id(number)} to be added`, async () => {
    await server.api("POST", "/devices", { instance: "north", as, body, agent }).catch((error) => {
      // An answer that was lost: it is there.
      if (!error.message.includes("IOTDA.014031")) {
        throw error;
      }
    });
    return true;
  });
}

scenario(`a list of ${DEVICES} devices is scrolled to its end with few rows made`, {}, async (visitor) => {
  const { page } = visitor;
  await visitor.signIn();
  await visitor.goTo("/instances/north/devices");
  const table = page.getByRole("table", { name: "Devices" });
  // The newest are first.
  await table.getByRole("link", { name: /^pre_/ }).first().waitFor();
  const rows = () => table.locator("tbody tr").count();
  assert.ok((await rows()) <= ROWS_MAX, `${await rows()} rows at the beginning`);
  const box = page.locator("[data-rows]");
  let most = 0;
  const last = await until(
    "the end of the list",
    async () => {
      await box.evaluate((element) => element.scrollTo(0, element.scrollHeight));
      most = Math.max(most, await rows());
      const links = await table.getByRole("link", { name: /^pre_/ }).allInnerTexts();
      const index = await table.locator("tbody tr[aria-rowindex]").last().getAttribute("aria-rowindex");
      return Number(index) === DEVICES + 1 && links.length > 0 ? links.at(-1) : undefined;
    },
    60_000,
  );
  assert.match(last, /^pre_/);
  assert.ok(most <= ROWS_MAX, `${most} rows while scrolling`);
  await page.getByText(`${new Intl.NumberFormat("en-GB").format(DEVICES)} devices`, { exact: true }).waitFor();
});

scenario("one device of many is found by its id, and the filter is in the URL", {}, async (visitor) => {
  const { page } = visitor;
  const wanted = id(Math.floor(DEVICES / 2));
  await visitor.signIn();
  await visitor.goTo("/instances/north/devices");
  await page.getByRole("searchbox").fill(wanted);
  await page.getByText("1 device", { exact: true }).waitFor();
  await page.getByRole("link", { name: wanted }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get("q"), wanted);
  await page.reload();
  await page.getByText("1 device", { exact: true }).waitFor();

  await visitor.goTo("/instances/north/devices?state=online");
  await page.getByText("No device fits these filters.").waitFor();
  await page.getByRole("button", { name: "Show all devices" }).click();
  await page.getByText("Never connected", { exact: true }).first().click();
  await page.getByRole("link", { name: /^pre_/ }).first().waitFor();
  assert.equal(new URL(page.url()).searchParams.get("state"), "never");
});

scenario("the list is downloaded whole, each device once", {}, async (visitor) => {
  const { page } = visitor;
  await visitor.signIn();
  await visitor.goTo("/instances/north/devices");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download as CSV" }).click(),
  ]);
  const [head, ...lines] = readFileSync(await download.path(), "utf8")
    .trimEnd()
    .split(/\r?\n/);
  const at = head.split(",").indexOf("device_id");
  assert.ok(at >= 0, head);
  assert.equal(lines.length, DEVICES);
  assert.equal(new Set(lines.map((line) => line.split(",")[at])).size, DEVICES);
});
