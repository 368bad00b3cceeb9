// Dark and light as the system has it, from the first paint on, and on a telephone.

import assert from "node:assert/strict";

import { scenarios } from "./harness/scenario.js";

const { scenario } = scenarios();

/** How bright what is painted behind the page is, of 0 to 255. */
async function brightness(page) {
  const color = await page.evaluate(() => {
    const painted = [document.body, document.documentElement].map(
      (element) => getComputedStyle(element).backgroundColor,
    );
    return painted.find((color) => color !== "rgba(0, 0, 0, 0)");
  });
  const [red, green, blue] = color.match(/\d+/g).map(Number);
  return (red + green + blue) / 3;
}

for (const [colorScheme, isRight] of [
  ["dark", (bright) => bright < 80],
  ["light", (bright) => bright > 200],
]) {
  scenario(
    `a ${colorScheme} system sees ${colorScheme} before the console runs, and after`,
    { colorScheme },
    async (visitor) => {
      const { page } = visitor;
      let letRun;
      const held = new Promise((resolve) => (letRun = resolve));
      await page.route(/\/assets\/index-[^/]*\.js$/, async (route) => {
        await held;
        await route.continue();
      });
      await page.goto("/console/sign-in", { waitUntil: "commit" });
      await page.locator("#root").waitFor({ state: "attached" });
      const scheme = () => page.evaluate(() => document.documentElement.getAttribute("data-mantine-color-scheme"));
      assert.equal(await scheme(), colorScheme);
      assert.equal(await page.locator("#root > *").count(), 0, "the console does not run yet");
      const first = await brightness(page);
      assert.ok(isRight(first), `${first} before`);
      letRun();
      await visitor.settled();
      assert.equal(await scheme(), colorScheme);
      const then = await brightness(page);
      assert.ok(isRight(then), `${then} after`);
    },
  );
}

scenario("a system that turns dark at night takes the console with it", {}, async (visitor) => {
  await visitor.goTo("/sign-in");
  await visitor.page.emulateMedia({ colorScheme: "dark" });
  await visitor.page.locator("html[data-mantine-color-scheme=dark]").waitFor({ state: "attached" });
});
