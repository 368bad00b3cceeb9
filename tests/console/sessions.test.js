// Sessions of a browser: how they end, and that no other site can use them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { after } from "node:test";

import { certificate as ownCertificate } from "./harness/devices.js";
import { scenarios } from "./harness/scenario.js";

/** Two other sites on this machine: one that the browser sends no cookie to, and one that is another origin of this very site. */
const elsewhere = {};
const { scenario } = scenarios({}, async (server) => {
  const { key, crt } = await ownCertificate(server, "elsewhere", "/CN=localhost");
  const tls = { key: readFileSync(key), cert: readFileSync(crt) };
  elsewhere["another site"] = await serve(createServer(greet), "http://127.0.0.1");
  elsewhere["another port of this host"] = await serve(createTlsServer(tls, greet), "https://localhost");
});
after(() => Object.values(elsewhere).forEach(({ server }) => server.close()));

function greet(_, answer) {
  answer.setHeader("content-type", "text/html");
  answer.end("<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>");
}

async function serve(server, host) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, origin: `${host}:${server.address().port}` };
}

const atSignIn = (url) => url.pathname === "/console/sign-in";

scenario("signing out in one tab ends the other at its next request", {}, async (visitor) => {
  await visitor.signIn();
  await visitor.goTo("/instances/north/products");
  const other = await visitor.openTab();
  await other.goto("/console/instances/north/policies");
  await other.getByRole("heading", { level: 1, name: "Policies" }).waitFor();

  await visitor.page.getByRole("button", { name: /^Account/ }).click();
  await visitor.page.getByRole("menuitem", { name: "Sign out" }).click();
  await visitor.page.waitForURL(atSignIn);

  // Another screen of the tab asks the server, who knows of no session.
  visitor.tolerated.push(/\b401\b/);
  await other.getByRole("link", { name: "Devices", exact: true }).click();
  await other.waitForURL(atSignIn);
  assert.equal(new URL(other.url()).searchParams.get("to"), "/instances/north/devices");
  assert.equal(await other.getByText("truck").count(), 0, "nothing of the fleet stays in sight");
});

scenario("a session that has ended leads to signing in, and from there back to where one was", {}, async (visitor) => {
  const { page } = visitor;
  await visitor.signIn();
  await visitor.goTo("/instances/north/devices?state=offline&q=truck");
  const before = new URL(page.url());
  // As the server sees it: the browser has no cookie of a session that there is.
  await visitor.context.clearCookies();
  visitor.tolerated.push(/\b401\b/);
  await page.getByText("Frozen", { exact: true }).click();
  await page.waitForURL(atSignIn);
  await visitor.enter();
  const after = new URL(page.url());
  assert.equal(after.pathname, before.pathname);
  assert.equal(after.searchParams.get("q"), "truck");
  await page.getByRole("radio", { name: "Frozen" }).and(page.locator(":checked")).waitFor({ state: "attached" });
});

scenario("a cookie of a session is of this site alone, and no script reads it", {}, async (visitor, server) => {
  await visitor.signIn();
  const [cookie, ...others] = await visitor.context.cookies(server.origin);
  assert.equal(others.length, 0);
  assert.match(cookie.name, /^__Host-/);
  assert.deepEqual([cookie.httpOnly, cookie.secure, cookie.sameSite, cookie.path], [true, true, "Strict", "/"]);
  assert.equal(await visitor.page.evaluate(() => document.cookie), "");
});

for (const where of ["another site", "another port of this host"]) {
  scenario(`a page of ${where} changes nothing by the session of a visitor`, {}, (visitor, server) =>
    forge(visitor, server, elsewhere[where]),
  );
}

async function forge(visitor, server, { origin: other }) {
  await visitor.signIn();
  const products = async () => (await server.api("GET", "/products", { instance: "north" })).products.length;
  const before = await products();
  const project = server.up.api.project_id;
  const product = {
    app_id: "vehicles",
    name: "Forged",
    device_type: "Forged",
    protocol_type: "MQTT",
    data_format: "json",
    service_capabilities: [],
  };

  const page = await visitor.openTab({ isElsewhere: true });
  // The browser itself tells of what it does not let this page read.
  visitor.tolerated.push(/CORS|Failed to (load|fetch)|\b40[0-9]\b|net::ERR/);
  await page.goto(other);
  const path = `${server.origin}/v5/iot/${project}/products`;
  const outcomes = await page.evaluate(
    async ({ path, product, origin }) => {
      const attempts = [
        [path, { method: "POST", headers: { "Content-Type": "text/plain" } }],
        [path, { method: "POST", headers: { "Content-Type": "text/plain" }, mode: "no-cors" }],
        [path, { method: "POST", headers: { "Content-Type": "application/json", "Instance-Id": "north" } }],
        [path, { method: "POST", headers: { "X-Rollcall-Console": "1", "Content-Type": "application/json" } }],
        [`${origin}/v5/iot/x/devices/truck_1/freeze`, { method: "POST", mode: "no-cors" }],
        [`${origin}/rollcall/v1/session`, { method: "DELETE" }],
        [`${origin}/rollcall/v1/me`, { method: "GET" }],
      ];
      const outcomes = [];
      for (const [url, options] of attempts) {
        const body = options.method === "POST" ? JSON.stringify(product) : undefined;
        try {
          const answer = await fetch(url, { ...options, credentials: "include", ...(body && { body }) });
          outcomes.push(answer.type === "opaque" ? "opaque" : answer.status);
        } catch {
          outcomes.push("refused");
        }
      }
      return outcomes;
    },
    { path, product, origin: server.origin },
  );
  assert.ok(
    outcomes.every((outcome) => outcome === "refused" || outcome === "opaque"),
    `nothing is read elsewhere: ${outcomes}`,
  );

  for (const [action, enctype] of [
    [path, "text/plain"],
    [`${server.origin}/rollcall/v1/session`, "text/plain"],
    [path, "application/x-www-form-urlencoded"],
  ]) {
    const page = await visitor.openTab({ isElsewhere: true });
    await page.goto(other);
    const answered = page.waitForResponse((answer) => answer.url().startsWith(action));
    await page.evaluate(
      ({ action, enctype, text }) => {
        const form = document.createElement("form");
        Object.assign(form, { action, enctype, method: "POST" });
        const field = document.createElement("input");
        // `{"name":…,"x":"=y"}` is JSON as a form's text.
        Object.assign(field, { name: `${text.slice(0, -1)},"x":"`, value: '"}' });
        form.append(field);
        document.body.append(form);
        form.submit();
      },
      { action, enctype, text: JSON.stringify(product) },
    );
    const answer = await answered;
    assert.ok(answer.status() >= 400, `${action} as ${enctype}: ${answer.status()}`);
  }
  assert.equal(await products(), before);
  // The session is as good as before.
  await visitor.goTo("/instances/north/products");
  assert.ok(!visitor.page.url().includes("sign-in"));
}

scenario(
  "what a page of this origin asks without the header of the console is refused",
  {},
  async (visitor, server) => {
    await visitor.signIn();
    visitor.tolerated.push(/\b403\b/);
    const ask = (headers) =>
      visitor.page.evaluate(async (headers) => {
        const answer = await fetch("/rollcall/v1/session", { method: "DELETE", headers });
        return answer.status;
      }, headers);
    assert.equal(await ask({}), 403);
    await visitor.goTo("/instances/north/products");
    assert.equal(await ask({ "X-Rollcall-Console": "1" }), 204);
  },
);
