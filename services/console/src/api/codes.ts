import { queryOptions } from "@tanstack/react-query";

import { body, client } from "./client";

/** What a code means, and what to do. It is of this version, so that it is read once. */
export const codePage = (code: string) =>
  queryOptions({
    queryKey: ["codes", code],
    queryFn: () => body(client.GET("/rollcall/v1/codes/{code}", { params: { path: { code } } })),
    staleTime: Infinity,
  });
