// A test with a browser: one server and one browser for each file of tests, a visitor of its own for each test.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, Visitor } from "./browser.js";
import { Server } from "./server.js";

/** Starts a server for the tests of a file; `prepare` is called with it once. */
export function scenarios(options = {}, prepare = async () => undefined) {
  const shared = { failed: false };
  before(async () => {
    shared.server = await Server.start(options);
    shared.browser = await launch();
    await prepare(shared.server);
  });
  after(async () => {
    await shared.browser?.close();
    await shared.server?.stop({ keep: shared.failed });
  });

  /** A test with a visitor. It fails, too, when the page did what it must not. */
  const scenario = (name, visits, body) =>
    test(name, async () => {
      const visitor = await Visitor.open(shared.browser, shared.server, visits);
      try {
        await body(visitor, shared.server, shared.browser);
        assert.deepEqual(visitor.faults, [], "what the page must not do");
      } catch (error) {
        shared.failed = true;
        const kept = await visitor.keep(name);
        const faults = visitor.faults.map((fault) => `\n  the page: ${fault}`).join("");
        const trace = `${kept}.png, ${kept}.zip (npx playwright-core show-trace)`;
        throw new Error(`${error.stack ?? error}${faults}\n  kept: ${trace}`, { cause: error });
      } finally {
        await visitor.close();
      }
    });
  return { scenario, shared };
}
