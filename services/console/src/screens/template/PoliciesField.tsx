import { MultiSelect, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { policies, products, spaces } from "../../api/lists";
import { usePlace } from "../../api/place";
import { TextLink } from "../../kit/links";
import { visible } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { bySpace, spaceName } from "./choices";
import type { Form } from "./form";

/** Policies that one device may have. */
const POLICIES_MAX = 5;

interface PoliciesFieldProps {
  form: Form;
  onChange: (ids: string[]) => void;
}

/** The policies that are bound at registration, chosen by name from those of the product's resource space. */
export function PoliciesField({ form, onChange }: PoliciesFieldProps) {
  const place = usePlace();
  const { data: all } = useQuery(policies(place));
  const { data: made } = useQuery(products(place));
  const { data: named } = useQuery(spaces(place));
  const { product } = form;
  const space =
    product.from === "text" ? made?.find(({ product_id }) => product_id === product.text)?.app_id : undefined;
  const offered = (all ?? []).filter(({ app_id }) => space === undefined || app_id === space);
  const groups = bySpace(offered, named, ({ policy_id, policy_name }) => ({
    value: policy_id,
    label: visible(policy_name),
  }));
  const stray = form.policies
    .filter((id) => !offered.some(({ policy_id }) => policy_id === id))
    .map((id) => ({ value: id, label: all === undefined ? visible(id) : texts.template.policyUnknown(visible(id)) }));
  if (all?.length === 0 && form.policies.length === 0) {
    return (
      <Text size="sm">
        {texts.template.noPolicies}{" "}
        <TextLink to="/instances/$instance/policies" params={{ instance: place.instance }}>
          {texts.template.makePolicy}
        </TextLink>
      </Text>
    );
  }
  const hint = space === undefined ? "" : ` ${texts.template.policiesOfSpace(spaceName(space, named))}`;
  return (
    <MultiSelect
      label={texts.template.choosePolicies}
      description={`${texts.template.policiesHint}${hint}`}
      data={[...stray, ...groups]}
      value={form.policies}
      onChange={onChange}
      maxValues={POLICIES_MAX}
      searchable
      hidePickedOptions
    />
  );
}
