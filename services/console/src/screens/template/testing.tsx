// What the tests of this room render their parts in.

import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { vi } from "vitest";

const nothing = () => undefined;

/** What Mantine asks of a browser and jsdom does not have. */
export function stubBrowser() {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe = nothing;
      unobserve = nothing;
      disconnect = nothing;
    },
  );
  const events = { addEventListener: nothing, removeEventListener: nothing };
  vi.stubGlobal("matchMedia", () => ({ matches: false, ...events }));
  Object.defineProperty(document, "fonts", { value: events, configurable: true });
}

export function Surroundings({ children }: { children: ReactNode }) {
  return (
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        {children}
      </QueryClientProvider>
    </MantineProvider>
  );
}
