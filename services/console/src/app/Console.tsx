import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useState } from "react";

import { ApiError } from "../api/error";
import { makeRouter } from "./router";
import { theme } from "./theme";

/** Tries again what may be so for a moment only. */
function retry(failures: number, error: Error): boolean {
  const passing = !(error instanceof ApiError) || error.status >= 500 || error.status === 429;
  return passing && failures < 2;
}

/** What is held and where one is. A session that ends while a screen is open leads to signing in, and back to that screen. */
function begin() {
  const cache = new QueryCache({
    onError: (error) => {
      const { pathname, href } = router.state.location;
      if (error instanceof ApiError && error.status === 401 && pathname !== "/sign-in") {
        void router.navigate({ to: "/sign-in", search: { to: href } });
      }
    },
  });
  const queries = new QueryClient({
    queryCache: cache,
    defaultOptions: { queries: { retry, staleTime: 2_000, refetchOnWindowFocus: true } },
  });
  const router = makeRouter(queries);
  return { queries, router };
}

export function Console() {
  const [{ queries, router }] = useState(begin);
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={queries}>
        <Notifications position="bottom-right" />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
