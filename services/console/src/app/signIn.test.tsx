import { cleanup, configure, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { texts } from "../texts";

// Screens are loaded when they are first shown.
configure({ asyncUtilTimeout: 20_000 });

const OPERATOR = {
  name: "anna",
  role: "viewer",
  scope: {},
  project_id: "0".repeat(32),
  enabled: true,
  has_password: true,
  created_at: "2026-06-01T00:00:00.000Z",
};
const SESSION = {
  operator: "anna",
  role: "viewer",
  scope: {},
  project_id: "0".repeat(32),
  created_at: "2026-06-01T00:00:00.000Z",
  expires_at: "2026-06-01T12:00:00.000Z",
  idle_seconds: 1800,
};

const answer = (status: number, body: unknown) => new Response(JSON.stringify(body), { status });
const refusal = (code: string, text: string) => answer(401, { error_code: code, error_msg: text });

/** An API with one operator, and whether this browser has a session there. */
let isSignedIn = false;
let changes: Request[] = [];

async function api(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (request.method !== "GET") {
    changes.push(request.clone());
  }
  if (pathname === "/rollcall/v1/session" && request.method === "POST") {
    const { password } = (await request.json()) as { password: string };
    isSignedIn = password === "right";
    return isSignedIn ? answer(200, SESSION) : refusal("IOTDA.000002", "operator or password is wrong");
  }
  if (pathname === "/rollcall/v1/session" && request.method === "DELETE") {
    isSignedIn = false;
    return new Response(null, { status: 204 });
  }
  if (!isSignedIn) {
    return refusal("IOTDA.000002", "there is no session");
  }
  const known: Record<string, unknown> = {
    "/rollcall/v1/me": OPERATOR,
    "/rollcall/v1/session": SESSION,
    "/rollcall/v1/instances": { instances: [] },
  };
  return pathname in known ? answer(200, known[pathname]) : answer(404, { error_code: "IOTDA.014912" });
}

/** The client of the API takes `fetch` as it is when it is first imported. */
async function open() {
  const { Console } = await import("./Console");
  render(<Console />);
}

beforeEach(() => {
  isSignedIn = false;
  changes = [];
  vi.stubGlobal("fetch", (request: Request) => api(request));
  vi.stubGlobal("matchMedia", () => ({
    matches: false,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }));
  vi.stubGlobal("scrollTo", () => undefined);
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      unobserve() {}
      disconnect() {}
    },
  );
  window.history.replaceState(null, "", "/console/account?from=mail");
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

async function signIn(password: string) {
  fireEvent.change(await screen.findByLabelText(/^Operator/), { target: { value: "anna" } });
  fireEvent.change(screen.getByLabelText(/^Password/, { selector: "input" }), { target: { value: password } });
  fireEvent.click(screen.getByRole("button", { name: texts.signIn.submit }));
}

test("signing in shows why it failed and leads back to where one wanted to go", { timeout: 60_000 }, async () => {
  await open();
  await signIn("wrong");
  expect(await screen.findByRole("alert")).toHaveProperty("textContent", expect.stringContaining("IOTDA.000002"));
  expect(window.location.pathname).toBe("/console/sign-in");
  await signIn("right");
  expect(await screen.findByText("30 minutes")).toBeDefined();
  expect(window.location.pathname + window.location.search).toBe("/console/account?from=mail");
  expect(changes.map((change) => change.headers.get("x-rollcall-console"))).toEqual(["1", "1"]);
});

test("a session that ends while a screen is open leads to signing in, and back", { timeout: 60_000 }, async () => {
  isSignedIn = true;
  await open();
  expect(await screen.findByText("30 minutes")).toBeDefined();
  isSignedIn = false;
  await waitFor(() => {
    window.dispatchEvent(new Event("visibilitychange"));
    expect(window.location.pathname).toBe("/console/sign-in");
  });
  await signIn("right");
  expect(await screen.findByText("30 minutes")).toBeDefined();
});
