import { Checkbox, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";

import { TextLink } from "../../../kit/links";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import type { StepProps } from "../Checklist";
import { bindPolicy, createPolicy } from "../queries";
import { nameOf, policyOf } from "../wanted";
import { StepForm } from "./StepForm";
import { Waits } from "./Waits";

/** Characters of a policy's name, at most 64, that are left for the product's. */
const PRODUCT_CHARS = 50;

export function PolicyStep({ place, progress: { space, product, policy, done }, mayChange, onDone }: StepProps) {
  const words = texts.setUp.policyStep;
  const [name, setName] = useState<string>();
  const [topics, setTopics] = useState<string>();
  const [closes, setCloses] = useState(true);
  if (space === undefined || product === undefined) {
    return <Waits step="product" />;
  }
  const short = nameOf(product.name, PRODUCT_CHARS);
  const chosenName = name ?? words.nameOf(short);
  const chosenTopics = topics ?? `${short}/\${devices.deviceId}/*`;
  return (
    <Stack gap="sm">
      <Text size="sm">{words.explain}</Text>
      {policy !== undefined ? (
        <>
          <Untrusted text={words.is(policy.policy_name)} />
          {!done.policy && (
            <StepForm
              submit={words.bind}
              mayChange={mayChange}
              onSubmit={() => bindPolicy(place, policy.policy_id, product.product_id)}
              changes={["policies", place.instance]}
              onDone={onDone}
            >
              <Text size="sm">{words.unbound}</Text>
            </StepForm>
          )}
          <TextLink
            size="sm"
            to="/instances/$instance/policies/$policy"
            params={{ instance: place.instance, policy: policy.policy_id }}
          >
            {words.show}
          </TextLink>
        </>
      ) : (
        <StepForm
          submit={words.submit}
          mayChange={mayChange}
          onSubmit={() =>
            createPolicy(place, policyOf(chosenName, space.app_id, chosenTopics), product.product_id, closes)
          }
          changes={["policies", place.instance]}
          onDone={onDone}
        >
          <TextInput
            label={words.name}
            required
            value={chosenName}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Textarea
            label={words.topics}
            description={words.topicsHint}
            required
            autosize
            minRows={2}
            value={chosenTopics}
            onChange={(event) => setTopics(event.currentTarget.value)}
          />
          <Checkbox
            label={words.closes}
            checked={closes}
            onChange={(event) => setCloses(event.currentTarget.checked)}
          />
        </StepForm>
      )}
    </Stack>
  );
}
