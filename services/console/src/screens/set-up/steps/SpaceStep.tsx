import { Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";

import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import type { StepProps } from "../Checklist";
import { createSpace } from "../queries";
import { StepForm } from "./StepForm";

export function SpaceStep({ place, progress, mayChange, onDone }: StepProps) {
  const words = texts.setUp.spaceStep;
  const [name, setName] = useState("");
  return (
    <Stack gap="sm">
      <Text size="sm">{words.explain}</Text>
      {progress.space !== undefined ? (
        <Untrusted text={words.is(progress.space.app_name)} />
      ) : (
        <StepForm
          submit={words.submit}
          mayChange={mayChange}
          onSubmit={() => createSpace(place, name)}
          changes={["spaces", place.instance]}
          onDone={onDone}
        >
          <TextInput
            label={words.name}
            required
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
        </StepForm>
      )}
    </Stack>
  );
}
