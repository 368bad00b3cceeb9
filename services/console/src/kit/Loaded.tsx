import { Loader } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { texts } from "../texts";
import { Failure } from "./Failure";

/** What a query has brought, or where it stands, in the place where the result will be. */
export function Loaded<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) {
    return (
      <>
        {query.error !== null && <Failure error={query.error} />}
        {children(query.data)}
      </>
    );
  }
  return query.error !== null ? <Failure error={query.error} /> : <Loader size="sm" aria-label={texts.kit.loading} />;
}
