import { Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";

import { TextLink } from "../../../kit/links";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import type { StepProps } from "../Checklist";
import { createProduct } from "../queries";
import { StepForm } from "./StepForm";
import { Waits } from "./Waits";

export function ProductStep({ place, progress: { space, product }, mayChange, onDone }: StepProps) {
  const words = texts.setUp.productStep;
  const [name, setName] = useState("");
  const [deviceType, setDeviceType] = useState<string>(words.deviceTypeDefault);
  if (space === undefined) {
    return <Waits step="space" />;
  }
  return (
    <Stack gap="sm">
      <Text size="sm">{words.explain}</Text>
      {product !== undefined ? (
        <>
          <Untrusted text={words.is(product.name)} />
          <TextLink
            size="sm"
            to="/instances/$instance/products/$product"
            params={{ instance: place.instance, product: product.product_id }}
            search={{ space: space.app_id }}
          >
            {words.show}
          </TextLink>
        </>
      ) : (
        <StepForm
          submit={words.submit}
          mayChange={mayChange}
          onSubmit={() => createProduct(place, space.app_id, name, deviceType)}
          changes={["products", place.instance]}
          onDone={onDone}
        >
          <TextInput
            label={words.name}
            required
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <TextInput
            label={words.deviceType}
            required
            value={deviceType}
            onChange={(event) => setDeviceType(event.currentTarget.value)}
          />
        </StepForm>
      )}
    </Stack>
  );
}
