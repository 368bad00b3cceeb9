// Pictures of every screen, for people to look at: light and dark, on a desk and on a telephone.

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { launch, Visitor } from "./harness/browser.js";
import { liveIn } from "./harness/lived_in.js";
import { ROOT, Server } from "./harness/server.js";
import { screens } from "./screens.js";

const FOLDER = join(ROOT, "target/console-pictures");
const WINDOWS = [
  { name: "light", colorScheme: "light", width: 1280, height: 900 },
  { name: "dark", colorScheme: "dark", width: 1280, height: 900 },
  { name: "light-360", colorScheme: "light", width: 360, height: 800 },
  { name: "dark-360", colorScheme: "dark", width: 360, height: 800 },
];
/** Names of screens, by themselves; none: all. */
const wanted = process.argv.slice(2);

mkdirSync(FOLDER, { recursive: true });
const server = await Server.start();
const browser = await launch();
let fleet;
try {
  fleet = await liveIn(server);
  for (const { name: window, ...options } of WINDOWS) {
    const visitor = await Visitor.open(browser, server, options);
    for (const screen of screens(fleet.ids)) {
      if (wanted.length > 0 && !wanted.includes(screen.name)) {
        continue;
      }
      // The open ones come first in the list.
      if (!screen.isOpen && !visitor.isSignedIn) {
        await visitor.signIn();
        visitor.isSignedIn = true;
      }
      try {
        await visitor.goTo(screen.path);
      } catch (error) {
        // What is there instead is worth looking at, too.
        visitor.faults.push(`${screen.name}: ${error}`);
      }
      const path = join(FOLDER, `${screen.name}-${window}.png`);
      await visitor.page.screenshot({ path });
      console.log(path);
    }
    for (const fault of visitor.faults) {
      console.error(`${window}: ${fault}`);
      process.exitCode = 1;
    }
    await visitor.close();
  }
} finally {
  fleet?.online.stop();
  await browser.close();
  await server.stop();
}
