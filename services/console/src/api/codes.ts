import { queryOptions } from "@tanstack/react-query";

import { body, client } from "./client";

/** The page of a code, as docs/operate/codes has it. */
export interface CodeShown {
  code: string;
  title: string;
  markdown: string;
}

/** What a code means, and what to do. It is of this version, so that it is read once. */
export const codePage = (code: string) =>
  queryOptions({
    queryKey: ["codes", code],
    queryFn: () =>
      body(
        client.GET("/rollcall/v1/codes/{code}" as never, { params: { path: { code } } } as never) as Promise<{
          data?: CodeShown;
        }>,
      ),
    staleTime: Infinity,
  });
