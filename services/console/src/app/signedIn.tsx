import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, lazyRouteComponent, Outlet, redirect } from "@tanstack/react-router";

import { ApiError } from "../api/error";
import { me } from "../api/session";
import { Failure } from "../kit/Failure";
import { signInSearch } from "../screens/sign-in/search";
import { NotFound } from "./NotFound";
import { Shell } from "./Shell";

export interface Context {
  queries: QueryClient;
}

export const root = createRootRouteWithContext<Context>()({ component: Outlet, notFoundComponent: NotFound });

export const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: signInSearch,
  component: lazyRouteComponent(() => import("../screens/sign-in/SignInScreen"), "SignInScreen"),
});

/** Everything that needs somebody to be signed in. */
export const signedIn = createRoute({
  getParentRoute: () => root,
  id: "signed-in",
  component: Shell,
  errorComponent: ({ error }) => <Failure error={error instanceof Error ? error : new Error(String(error))} />,
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queries.query({ ...me, staleTime: "static" });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        throw redirect({ to: "/sign-in", search: { to: location.href } });
      }
      throw error;
    }
  },
});
