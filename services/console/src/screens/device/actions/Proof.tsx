import { Group, List } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { Status } from "../../../kit/Status";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import { type Device, device, type Target } from "../queries";
import { sessionOf } from "./available";
import type { Action, Done } from "./run";

/** How often the device is asked for while its session is to end. */
const PROOF_MS = 500;

interface Props {
  action: Action;
  target: Target;
  before: Device | null;
  done: Done;
}

/** What the API says after an action: where the log has it, how the device stands, and what became of its session. */
export function Proof({ action, target, before, done }: Props) {
  const { data: now, isFetchedAfterMount } = useQuery({ ...device(target), refetchInterval: PROOF_MS });
  const words = texts.device.actions;
  const session = sessionOf(before, isFetchedAfterMount ? now : undefined, action === "freeze" || action === "delete");
  return (
    <div role="status">
      <List size="sm" spacing={4}>
        {done.position !== undefined && <List.Item>{words.position(done.position)}</List.Item>}
        {done.fingerprint === null && <List.Item>{words.nextCertificate}</List.Item>}
        {typeof done.fingerprint === "string" && (
          <List.Item>
            {words.fingerprintNow} <Untrusted text={done.fingerprint} mono />
          </List.Item>
        )}
        {now !== undefined && isFetchedAfterMount && (
          <List.Item>
            <Group gap={6}>
              {words.now} {now === null ? words.gone : <Status status={now.status} />}
            </Group>
          </List.Item>
        )}
        {session !== "none" && <List.Item>{words.session[session]}</List.Item>}
        {done.outOfReach !== undefined && (
          <List.Item>
            {words.outOfReach} <Untrusted text={done.outOfReach} mono />
          </List.Item>
        )}
      </List>
    </div>
  );
}
