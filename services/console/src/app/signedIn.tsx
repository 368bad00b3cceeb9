import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, lazyRouteComponent, Outlet } from "@tanstack/react-router";

import { Failure } from "../kit/Failure";
import { signInSearch } from "../screens/sign-in/search";
import { NotFound } from "./NotFound";
import { requireSession } from "./requireSession";
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
  beforeLoad: requireSession,
});

export const account = createRoute({
  getParentRoute: () => signedIn,
  path: "/account",
  component: lazyRouteComponent(() => import("../screens/account/AccountScreen"), "AccountScreen"),
});
