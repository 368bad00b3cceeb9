import { queryOptions, useSuspenseQuery } from "@tanstack/react-query";

import { body, client, type Schemas } from "./client";

export type Operator = Schemas["OperatorShown"];

/** Who is signed in. */
export const me = queryOptions({
  queryKey: ["me"],
  queryFn: () => body(client.GET("/rollcall/v1/me")),
  staleTime: 60_000,
});

/** Who is signed in, where the router has seen to it that somebody is. */
export function useOperator(): Operator {
  return useSuspenseQuery(me).data;
}

/** Whether an operator may change things, the server's word apart. */
export function mayChange(operator: Operator): boolean {
  return operator.role !== "viewer";
}

/** Whether an operator is to see a whole instance: what belongs to no resource space is for nobody else. */
export function seesWholeInstance(operator: Operator): boolean {
  return (operator.scope.spaces ?? null) === null;
}

/** Begins a session of this browser. */
export async function signIn(operator: string, password: string): Promise<void> {
  await client.POST("/rollcall/v1/session", { body: { operator, password } });
}

/** Ends it, at every API process at once. */
export async function signOut(): Promise<void> {
  await client.DELETE("/rollcall/v1/session");
}
