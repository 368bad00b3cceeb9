import { Group, Select, Stack, Text } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { type Place, usePlace } from "../../api/place";
import { mayChange, useOperator } from "../../api/session";
import { Failure } from "../../kit/Failure";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";
import { Checklist } from "./Checklist";
import { nextStep, progressOf } from "./progress";
import { useFacts } from "./queries";

export function SetUpScreen() {
  const words = texts.setUp;
  const place = usePlace();
  const { space } = useSearch({ from: "/signed-in/instances/$instance/set-up" });
  const isOperator = mayChange(useOperator());
  return (
    <Page title={words.title}>
      <Stack maw="56rem">
        <Text size="sm">{words.lead}</Text>
        {!isOperator && <Text size="sm">{words.readOnly}</Text>}
        <Procedure key={space} place={place} wanted={space} mayChange={isOperator} />
      </Stack>
    </Page>
  );
}

function Procedure({ place, wanted, mayChange }: { place: Place; wanted: string | undefined; mayChange: boolean }) {
  const { facts, error } = useFacts(place, wanted);
  const { step } = useSearch({ from: "/signed-in/instances/$instance/set-up" });
  const navigate = useNavigate({ from: "/instances/$instance/set-up" });
  if (facts === undefined) {
    return error === null ? <Text size="sm">{texts.kit.loading}</Text> : <Failure error={error} />;
  }
  const progress = progressOf(facts, wanted);
  return (
    <>
      {error !== null && <Failure error={error} />}
      {facts.spaces.length > 1 && (
        <Group>
          <Select
            label={texts.setUp.space}
            data={facts.spaces.map(({ app_id, app_name }) => ({ value: app_id, label: app_name }))}
            value={progress.space?.app_id ?? null}
            onChange={(space) => void navigate({ search: { space: space ?? undefined } })}
            allowDeselect={false}
          />
        </Group>
      )}
      <Checklist
        place={place}
        progress={progress}
        open={step ?? nextStep(progress)}
        onOpen={(opened) => void navigate({ search: (now) => ({ ...now, step: opened }), replace: true })}
        onDone={() => void navigate({ search: (now) => ({ ...now, step: undefined }), replace: true })}
        mayChange={mayChange}
      />
    </>
  );
}
