// Debian's Chromium, and a page that fails its test when the console does what it must not: an error in its console, a breach of its
// Content-Security-Policy, a request to another host.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";

import { chromium } from "playwright-core";

import { ROOT } from "./server.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Where what is left of failed tests is. */
const KEPT = join(ROOT, "target/console-tests");

export function launch() {
  // Chromium's own sandbox does not start as root, as containers are.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
}

/** One browser with nothing in it, and one page. `tolerated`: messages of the browser's console that a test expects. */
export class Visitor {
  static async open(browser, server, { colorScheme = "light", width = 1280, height = 900, tolerated = [] } = {}) {
    const visitor = new Visitor();
    visitor.server = server;
    visitor.tolerated = [...tolerated];
    visitor.faults = [];
    visitor.elsewhere = new Set();
    visitor.context = await browser.newContext({
      baseURL: server.origin,
      colorScheme,
      viewport: { width, height },
      // The server's CA is its own, and made a moment ago.
      ignoreHTTPSErrors: true,
    });
    await visitor.context.tracing.start({ screenshots: true, snapshots: true });
    await visitor.context.exposeBinding("__violation", (_, text) => visitor.faults.push(`policy: ${text}`));
    await visitor.context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        window.__violation(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
      });
    });
    visitor.context.on("request", (request) => {
      const url = new URL(request.url());
      const isOther = !["data:", "blob:"].includes(url.protocol) && url.origin !== server.origin;
      if (isOther && !visitor.elsewhere.has(request.frame().page())) {
        visitor.faults.push(`a request to another host: ${request.url()}`);
      }
    });
    visitor.page = await visitor.context.newPage();
    visitor.#listen(visitor.page);
    return visitor;
  }

  #listen(page) {
    page.on("pageerror", (error) => this.faults.push(`uncaught: ${error.stack ?? error}`));
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) {
        return;
      }
      const text = `${message.type()}: ${message.text()} (${message.location().url})`;
      // The question who is signed in, asked by nobody: the answer is 401, which the browser tells of.
      const asks = /\b401\b.*\/rollcall\/v1\/(me|session)\)$/s.test(text);
      if (!asks && !this.tolerated.some((pattern) => pattern.test(text))) {
        this.faults.push(text);
      }
    });
  }

  /** Another tab of the same browser, watched like the first; `isElsewhere`: it is to show another site. */
  async openTab({ isElsewhere = false } = {}) {
    const page = await this.context.newPage();
    if (isElsewhere) {
      this.elsewhere.add(page);
    }
    this.#listen(page);
    return page;
  }

  /** Opens a screen by its address below /console. */
  async goTo(path) {
    const answer = await this.page.goto(`/console${path}`);
    await this.settled();
    return answer;
  }

  /** Waits until the page has its heading and shows nothing that is loading. */
  async settled() {
    await this.page.getByRole("heading", { level: 1 }).first().waitFor();
    await this.page.waitForFunction(() => document.querySelector("[aria-busy=true], .mantine-Skeleton-root") === null);
  }

  /** Signs in as a person does. */
  async signIn(credentials) {
    await this.goTo("/sign-in");
    await this.enter(credentials);
  }

  /** Fills in the form that is shown. */
  async enter({ operator, password } = this.server.administrator) {
    await this.page.getByLabel("Operator").fill(operator);
    await this.page.getByLabel("Password").first().fill(password);
    await this.page.getByRole("button", { name: "Sign in" }).click();
    await this.page.waitForURL((url) => !url.pathname.endsWith("/sign-in"));
    await this.settled();
  }

  /** Drops a file on the field that has this label. */
  async drop(label, file) {
    const made = ({ name, bytes }) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(bytes)], name));
      return transfer;
    };
    const what = { name: basename(file), bytes: [...readFileSync(file)] };
    const dataTransfer = await this.page.evaluateHandle(made, what);
    const field = this.page.getByRole("textbox", { name: label, exact: true });
    await field.dispatchEvent("dragover", { dataTransfer });
    await field.dispatchEvent("drop", { dataTransfer });
  }

  /** Serious and critical findings of axe on what is shown, each with its places. */
  async accessibilityFaults() {
    await this.page.evaluate(AXE);
    return this.page.evaluate(async () => {
      const { violations } = await window.axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      });
      const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      const place = (node) => `${node.target.join(" ")}: ${node.any[0]?.message ?? node.failureSummary}`;
      return grave.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.slice(0, 3).map(place).join("; ")}`);
    });
  }

  /** Pixels by which the page is wider than its window. */
  overflow() {
    return this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  }

  /** Keeps what there is to see of a test that has failed. */
  async keep(name) {
    mkdirSync(KEPT, { recursive: true });
    const file = join(KEPT, name.replaceAll(/[^A-Za-z0-9]+/g, "-"));
    await this.page.screenshot({ path: `${file}.png` }).catch(() => undefined);
    await this.context.tracing.stop({ path: `${file}.zip` }).catch(() => undefined);
    return file;
  }

  async close() {
    await this.context.close();
  }
}
