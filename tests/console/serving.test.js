// The console as a browser is served it by the program itself.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

import { scenarios } from "./harness/scenario.js";
import { ROOT } from "./harness/server.js";

/** First load, bytes as they are sent by gzip: the page, its scripts and what they import at once, its styles. */
const FIRST_LOAD_BYTES_MAX = 300_000;

const { scenario, shared } = scenarios();

scenario("a page of the console keeps to its policy", {}, async (visitor) => {
  const answer = await visitor.goTo("/");
  assert.equal(answer.status(), 200);
  const policy = answer.headers()["content-security-policy"];
  assert.match(policy, /script-src 'self';/);
  assert.doesNotMatch(policy, /script-src[^;]*unsafe|style-src [^;]*unsafe/);
  assert.match(visitor.page.url(), /\/console\/sign-in/, "nobody is signed in");
  // The policy binds: what the page's own code could not do either.
  await visitor.page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.breached = true";
    document.head.append(script);
  });
  assert.equal(await visitor.page.evaluate(() => window.breached), undefined);
  assert.match(visitor.faults.join(), /script-src-elem inline/, "and a breach is seen by these tests");
  visitor.faults.length = 0;
});

scenario("/ leads to the console", {}, async (visitor) => {
  await visitor.page.goto("/");
  await visitor.settled();
  assert.equal(new URL(visitor.page.url()).pathname, "/console/sign-in");
});

scenario(
  "a screen's address, opened by somebody who is not signed in, is gone on to after signing in",
  {},
  async (visitor) => {
    await visitor.goTo("/instances/north/devices");
    const { pathname, searchParams } = new URL(visitor.page.url());
    assert.equal(pathname, "/console/sign-in");
    assert.match(searchParams.get("to"), /\/instances\/north\/devices/);
    await visitor.enter();
    assert.equal(new URL(visitor.page.url()).pathname, "/console/instances/north/devices");
  },
);

test("what is served is what was built", async () => {
  const built = readFileSync(join(ROOT, "services/console/dist/index.html"));
  const { status, bytes } = await shared.server.request("GET", "/console/");
  assert.equal(status, 200);
  assert.ok(bytes.equals(built), "build the program again: it has another console than services/console/dist");
});

test("the first load is small", async () => {
  const sizes = new Map();
  const load = async (path) => {
    if (sizes.has(path)) {
      return "";
    }
    const answer = await shared.server.request("GET", path, { headers: { "accept-encoding": "gzip" } });
    assert.equal(answer.status, 200, path);
    sizes.set(path, answer.bytes.length);
    const text = (answer.headers["content-encoding"] === "gzip" ? gunzipSync(answer.bytes) : answer.bytes).toString(
      "utf8",
    );
    if (path.endsWith(".js")) {
      // Static imports of a built file: `import…from"./x.js"` and `import"./x.js"`, but not `import("./x.js")`.
      for (const [, name] of text.matchAll(/(?:\bfrom|\bimport)\s*"(\.\/[^"]+\.js)"/g)) {
        await load(new URL(name, `https://console${path}`).pathname);
      }
    }
    return text;
  };
  const page = await load("/console/");
  for (const [, path] of page.matchAll(/<(?:script|link)\b[^>]*\b(?:src|href)="([^"]+)"/g)) {
    await load(path);
  }
  assert.ok(
    [...sizes.keys()].some((path) => /assets\/index-[^/]*\.js$/.test(path)),
    [...sizes.keys()].join(),
  );
  const whole = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  console.log(`first load: ${whole} bytes in ${sizes.size} files`);
  assert.ok(whole <= FIRST_LOAD_BYTES_MAX, `${whole} bytes: ${JSON.stringify([...sizes])}`);
});

test("what a browser has is not sent again", async () => {
  const page = (await shared.server.request("GET", "/console/")).bytes.toString("utf8");
  const [, script] = page.match(/src="(\/console\/assets\/[^"]+\.js)"/);
  const first = await shared.server.request("GET", script, { headers: { "accept-encoding": "br, gzip" } });
  assert.equal(first.headers["content-encoding"], "br");
  assert.equal(first.headers["cache-control"], "public, max-age=31536000, immutable");
  const headers = { "accept-encoding": "br, gzip", "if-none-match": first.headers.etag };
  const again = await shared.server.request("GET", script, { headers });
  assert.deepEqual([again.status, again.bytes.length], [304, 0]);
  assert.equal((await shared.server.request("GET", "/console/assets/gone-00000000.js")).status, 404);
});
