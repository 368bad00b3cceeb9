import type { QueryClient } from "@tanstack/react-query";
import { redirect } from "@tanstack/react-router";

import { ApiError } from "../api/error";
import { me } from "../api/session";

interface Arrival {
  context: { queries: QueryClient };
  location: { href: string };
}

/** Sends those who are not signed in to the screen where they do it, and from there back to where they meant to go. */
export async function requireSession({ context, location }: Arrival) {
  try {
    await context.queries.query({ ...me, staleTime: "static" });
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) {
      throw redirect({ to: "/sign-in", search: { to: location.href } });
    }
    throw error;
  }
}
