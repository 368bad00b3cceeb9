import createClient from "openapi-fetch";

import { isAttended } from "./attendance";
import { refused } from "./error";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

/** The public API, as its committed document describes it, with the session's cookie. Anything but success is thrown. */
export const client = createClient<paths>({ baseUrl: window.location.origin, credentials: "same-origin" });

client.use({
  onRequest({ request }) {
    // No other site's page can send it without being asked first: a change is taken only with it.
    request.headers.set("X-Rollcall-Console", "1");
    if (request.method === "GET" && !isAttended()) {
      request.headers.set("X-Rollcall-Unattended", "1");
    }
    return request;
  },
  async onResponse({ response }) {
    if (response.ok) {
      return response;
    }
    throw refused(response, await response.json().catch(() => undefined));
  },
});

/** The body of an answer, which is there: what is no success was thrown. */
export async function body<T>(answer: Promise<{ data?: T }>): Promise<T> {
  const { data } = await answer;
  return data as T;
}

/** Which instance a v5 operation is meant for. */
export function at(instance: string) {
  return { "Instance-Id": instance };
}
