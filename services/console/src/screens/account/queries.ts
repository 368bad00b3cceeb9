import { queryOptions } from "@tanstack/react-query";

import { body, client, type Schemas } from "../../api/client";
import { ApiError } from "../../api/error";

export type Session = Schemas["SessionShown"];

/** This browser's session; `null` where a token has let it in, as the development server's does. */
export const session = queryOptions({
  queryKey: ["session"],
  queryFn: async (): Promise<Session | null> => {
    try {
      return await body(client.GET("/rollcall/v1/session"));
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        // Refused too, if nobody is signed in any more.
        await client.GET("/rollcall/v1/me");
        return null;
      }
      throw error;
    }
  },
});

/** The browser's session goes on; every other of the operator's ends. */
export async function changePassword(old: string, wanted: string): Promise<void> {
  await client.PUT("/rollcall/v1/me/password", { body: { old, new: wanted } });
}
