import { Alert, Loader, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { CommandLines } from "../../../kit/CommandLines";
import { Failure } from "../../../kit/Failure";
import { FileDrop } from "../../../kit/FileDrop";
import { ButtonLink, TextLink } from "../../../kit/links";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import { opensslDevice, pkiDevice } from "../../ca-certificates/lines";
import type { StepProps } from "../Checklist";
import type { SetUpSearch } from "../search";
import { debugged, type Debugged } from "../queries";
import { Waits } from "./Waits";

export function DebugStep({ place, progress: { certificate } }: StepProps) {
  const words = texts.setUp.debugStep;
  const [pem, setPem] = useState("");
  const query = useQuery(debugged(place, pem));
  if (certificate === undefined) {
    return <Waits step="certificate" />;
  }
  return (
    <Stack gap="sm">
      <Text size="sm">{words.explain}</Text>
      <CommandLines label={words.make} lines={opensslDevice("/O=Acme/CN=device-0001", "device-0001")} />
      <CommandLines label={words.makePki} lines={pkiDevice("CN=device-0001,O=Acme")} />
      <FileDrop label={words.drop} value={pem} onChange={setPem} />
      {query.isFetching && <Loader size="sm" aria-label={texts.kit.loading} />}
      {query.error !== null && <Failure error={query.error} />}
      {query.data !== undefined && <Outcome debugged={query.data} instance={place.instance} />}
    </Stack>
  );
}

function Outcome({ debugged: { outcome, device, text }, instance }: { debugged: Debugged; instance: string }) {
  const words = texts.setUp.debugStep;
  const id = device?.device_id ?? "";
  return (
    <>
      <Alert
        color={outcome === "refuse" ? "red" : "green"}
        variant="light"
        role="status"
        title={outcome === "refuse" ? words.refused : undefined}
      >
        <Untrusted
          text={outcome === "refuse" ? text : outcome === "already_registered" ? words.already(id) : words.would(id)}
        />
      </Alert>
      {outcome !== "refuse" && (
        <div>
          <ButtonLink
            to="/instances/$instance/set-up"
            params={{ instance }}
            search={(now: SetUpSearch) => ({ ...now, step: "device" as const, device: device?.device_id })}
          >
            {words.goOn}
          </ButtonLink>
        </div>
      )}
      <TextLink size="sm" to="/instances/$instance/debug" params={{ instance }} search={{}}>
        {words.more}
      </TextLink>
    </>
  );
}
