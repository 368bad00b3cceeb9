// The live screen over a restart of the server: what happened before it, during it and after it is there once each.

import assert from "node:assert/strict";

import { scenarios } from "./harness/scenario.js";
import { until } from "./harness/wait.js";

const { scenario } = scenarios();

const NORTH = { instance: "north" };
const DEVICE = "counted";
const BEFORE = 5;
const MEANWHILE = 5;
const AFTER = 5;

/** Positions of the last events that the log has of the instance. */
async function logged(server) {
  const { events } = await server.api("GET", "/rollcall/v1/instances/north/events?limit=50");
  return events.map(({ position }) => position).sort((a, b) => a - b);
}

/** Positions of the events that the page shows, with each as often as it is shown. */
async function shown(page) {
  const rows = await page.locator("tbody tr").filter({ hasText: "position" }).allInnerTexts();
  return rows.map((text) => Number(/position (\d+)/.exec(text)[1])).sort((a, b) => a - b);
}

scenario(
  "the live screen misses nothing and doubles nothing when the server is started again",
  {},
  async (visitor, server) => {
    const { page } = visitor;
    const rename = (name) =>
      server.api("PUT", `/devices/${DEVICE}`, { ...NORTH, body: { device_name: name.toString() } });
    const bare = { app_id: "vehicles", product_id: "truck", auth_info: { auth_type: "CERTIFICATES" } };
    await server.api("POST", "/devices", { ...NORTH, body: { ...bare, device_id: DEVICE, node_id: DEVICE } });
    const first = await lastPosition(server);

    await visitor.signIn();
    await visitor.goTo("/instances/north/live");
    const connection = (text) => page.getByRole("status").filter({ hasText: text }).waitFor();
    await connection(/^Live$/);
    for (let count = 0; count < BEFORE; count++) {
      await rename(`before-${count}`);
    }
    await until("what happened before to be shown", async () => (await shown(page)).length === BEFORE);

    // The connection ends with the server, and what asks it meanwhile is not answered.
    visitor.tolerated.push(
      /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY|ERR_HTTP2|\b503\b|Failed to load/,
    );
    // The browser hears of the server again when this lets it: what happens first happens behind its back.
    let letThrough;
    const held = new Promise((resolve) => (letThrough = resolve));
    await page.route(/\/stream/, async (route) => {
      await held;
      await route.continue();
    });
    const restarted = server.restart();
    await connection(/Reconnecting|Cut off/);
    await restarted;
    for (let count = 0; count < MEANWHILE; count++) {
      await rename(`meanwhile-${count}`);
    }
    letThrough();
    const again = page.getByRole("button", { name: "Connect now" });
    await until("the connection to be there again", async () => {
      if (await again.isVisible()) {
        await again.click();
      }
      return page
        .getByRole("status")
        .filter({ hasText: /^Live$/ })
        .isVisible();
    });
    for (let count = 0; count < AFTER; count++) {
      await rename(`after-${count}`);
    }

    const all = (await logged(server)).filter((position) => position > first);
    assert.equal(all.length, BEFORE + MEANWHILE + AFTER, "as many events as changes");
    await until("everything to be shown", async () => (await shown(page)).length >= all.length);
    assert.deepEqual(await shown(page), all);
    assert.equal(await page.getByText("Events may be missing").count(), 0, "nothing is said to be missing");
  },
);

async function lastPosition(server) {
  const { view } = await server.api("GET", "/rollcall/v1/instances/north/overview");
  return view.position;
}
