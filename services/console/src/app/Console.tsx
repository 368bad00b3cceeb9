import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
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

export function Console() {
  const [queries] = useState(
    () => new QueryClient({ defaultOptions: { queries: { retry, staleTime: 2_000, refetchOnWindowFocus: true } } }),
  );
  const [router] = useState(() => makeRouter(queries));
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={queries}>
        <Notifications position="bottom-right" />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
