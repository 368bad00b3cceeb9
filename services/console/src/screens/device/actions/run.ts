import { at, client } from "../../../api/client";
import { onDevice, type Target } from "../queries";

/** What can be done to a device as a whole. */
export const ACTIONS = ["freeze", "unfreeze", "reset", "delete", "readmit"] as const;
export type Action = (typeof ACTIONS)[number];

/** What the API says of an action that is done. */
export interface Done {
  /** Where the instance's log says so, if the answer tells it. */
  position: string | undefined;
  /** Connectors that may not hear of it now. */
  outOfReach: string | undefined;
  /** The fingerprint that the device has then; `null`: none, and the next certificate that fits becomes it. */
  fingerprint?: string | null;
}

/** What else has to be said to do it. */
export interface Options {
  /** Of the certificate to be; empty: the next that fits. */
  fingerprint: string;
  slot: "PRIMARY" | "SECONDARY";
}

function done(response: Response): Done {
  const header = (name: string) => response.headers.get(name) ?? undefined;
  return { position: header("Rollcall-Position"), outOfReach: header("Rollcall-Out-Of-Reach") };
}

/** Does it, by the API that everybody has. */
export async function run(action: Action, target: Target, { fingerprint, slot }: Options): Promise<Done> {
  const request = onDevice(target);
  switch (action) {
    case "freeze":
      return done((await client.POST("/v5/iot/{project_id}/devices/{device_id}/freeze", request)).response);
    case "unfreeze":
      return done((await client.POST("/v5/iot/{project_id}/devices/{device_id}/unfreeze", request)).response);
    case "delete":
      return done((await client.DELETE("/v5/iot/{project_id}/devices/{device_id}", request)).response);
    case "reset": {
      const body = { fingerprint_type: slot, force_disconnect: true, ...(fingerprint !== "" && { fingerprint }) };
      const { data, response } = await client.POST("/v5/iot/{project_id}/devices/{device_id}/reset-fingerprint", {
        ...request,
        body,
      });
      return { ...done(response), fingerprint: data?.fingerprint ?? null };
    }
    case "readmit": {
      const path = { instance_id: target.instance, device_id: target.device };
      const answer = await client.POST("/rollcall/v1/instances/{instance_id}/devices/{device_id}/readmit", {
        params: { path },
        headers: at(target.instance),
      });
      return done(answer.response);
    }
  }
}
