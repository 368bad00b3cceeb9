import { Button, Stack, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { usePlace } from "../../api/place";
import { CopyAs } from "../../kit/CopyAs";
import { Empty } from "../../kit/Empty";
import { FileDrop } from "../../kit/FileDrop";
import { Loaded } from "../../kit/Loaded";
import { Card, Page } from "../../kit/Page";
import { texts } from "../../texts";
import { AttemptLoaded } from "./AttemptLoaded";
import { chainOf } from "./chain";
import { DebugReport } from "./DebugReport";
import classes from "./DebugScreen.module.css";
import { attempt, debugged, type Presented } from "./queries";

/** How long the fields rest before it is asked, ms. */
const PAUSE = 300;
const t = texts.debug;

/** What a certificate becomes if it connects now, every check on the way, and what to do where it is refused. */
export function DebugScreen() {
  const { attempt: position } = useSearch({ from: "/signed-in/instances/$instance/debug" });
  // Whoever comes by another attempt begins with its certificate.
  return <Debug key={position ?? "own"} position={position} />;
}

function Debug({ position }: { position: number | undefined }) {
  const { instance } = usePlace();
  const navigate = useNavigate();
  const [dropped, setDropped] = useState<string>();
  const [clientId, setClientId] = useState("");
  const [userName, setUserName] = useState("");
  const loaded = useQuery({ ...attempt(instance, position ?? 0), enabled: position !== undefined });
  const kept = loaded.data === undefined ? undefined : chainOf(loaded.data.request);
  const certificate = dropped ?? kept ?? "";
  const isOfAttempt = position !== undefined && dropped === undefined;
  const presented: Presented = {
    certificate,
    ...(clientId === "" ? {} : { client_id: clientId }),
    ...(userName === "" ? {} : { user_name: userName }),
  };
  const path = `/rollcall/v1/instances/${instance}/debug`;
  return (
    <Page
      title={t.title}
      actions={certificate !== "" && <CopyAs of={{ request: { method: "POST", path, body: presented } }} />}
    >
      <div className={classes["columns"]}>
        <div className={classes["stack"]}>
          {isOfAttempt && (
            <Loaded query={loaded}>{(whole) => <AttemptLoaded attempt={whole} hasChain={kept !== undefined} />}</Loaded>
          )}
          <Card>
            <Stack gap="sm">
              <FileDrop
                label={t.certificate}
                description={t.certificateHint}
                value={certificate}
                onChange={setDropped}
              />
              <TextInput
                label={t.clientId}
                description={t.clientIdHint}
                value={clientId}
                onChange={(event) => setClientId(event.currentTarget.value)}
                autoComplete="off"
                spellCheck={false}
              />
              <TextInput
                label={t.userName}
                value={userName}
                onChange={(event) => setUserName(event.currentTarget.value)}
                autoComplete="off"
                spellCheck={false}
              />
              {position !== undefined && (
                <Button variant="subtle" size="compact-sm" onClick={() => void navigate({ to: ".", search: {} })}>
                  {t.another}
                </Button>
              )}
            </Stack>
          </Card>
        </div>
        {certificate.trim() === "" ? <Empty text={t.none} /> : <Answer presented={presented} />}
      </div>
    </Page>
  );
}

function Answer({ presented }: { presented: Presented }) {
  const { instance } = usePlace();
  const [rested] = useDebouncedValue(JSON.stringify(presented), PAUSE);
  const query = useQuery({
    ...debugged(instance, JSON.parse(rested) as Presented),
    placeholderData: keepPreviousData,
  });
  return (
    <div className={classes["stack"]}>
      <Loaded query={query}>
        {(answer) => <DebugReport answer={answer} isAsking={query.isFetching} onAgain={() => void query.refetch()} />}
      </Loaded>
    </div>
  );
}
