// axe on every screen, light and dark, and no screen is wider than a telephone.

import assert from "node:assert/strict";
import { after } from "node:test";

import { liveIn } from "./harness/lived_in.js";
import { scenarios } from "./harness/scenario.js";
import { screens } from "./screens.js";

let fleet;
const { scenario } = scenarios({}, async (server) => (fleet = await liveIn(server)));
after(() => fleet?.online.stop());

for (const { name, isOpen } of screens({})) {
  scenario(`axe finds nothing serious on ${name}, and a telephone has room for it`, {}, async (visitor) => {
    if (!isOpen) {
      await visitor.signIn();
    }
    await visitor.goTo(screens(fleet.ids).find((screen) => screen.name === name).path);
    // Of a failure: the other alerts tell of the fleet.
    const failures = visitor.page.getByRole("alert").filter({ has: visitor.page.getByText("Request id") });
    assert.deepEqual(await failures.allInnerTexts(), [], "the screen is seen as it is meant");
    const found = [];
    for (const colorScheme of ["light", "dark"]) {
      await visitor.page.emulateMedia({ colorScheme });
      await visitor.page.locator(`html[data-mantine-color-scheme=${colorScheme}]`).waitFor({ state: "attached" });
      found.push(...(await visitor.accessibilityFaults()).map((fault) => `${colorScheme}: ${fault}`));
    }
    await visitor.page.setViewportSize({ width: 360, height: 800 });
    await visitor.settled();
    const overflow = await visitor.overflow();
    found.push(...(overflow > 0 ? [`${overflow} pixels wider than 360`] : []));
    assert.deepEqual(found, []);
  });
}
