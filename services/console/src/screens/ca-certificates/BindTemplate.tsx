import { Button, Select, Stack, Switch, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { type CaCertificate, templates } from "../../api/lists";
import type { Place } from "../../api/place";
import { Failure } from "../../kit/Failure";
import { TextLink } from "../../kit/links";
import { texts } from "../../texts";
import { change } from "./queries";

interface Props {
  place: Place;
  certificate: CaCertificate;
  /** The template that is proposed where none is bound. */
  proposed?: string | undefined;
  mayChange?: boolean;
}

/** Which template makes devices of the certificates of this CA, and whether it may. */
export function BindTemplate({ place, certificate, proposed, mayChange = true }: Props) {
  const words = texts.caCertificates.binding;
  const queries = useQueryClient();
  const known = useQuery(templates(place)).data ?? [];
  const bound = certificate.template_id ?? null;
  const only = known.length === 1 ? known[0]?.template_id : undefined;
  const [chosen, setChosen] = useState<string | null>(null);
  const [enabled, setEnabled] = useState<boolean | null>(null);
  const template = chosen ?? bound ?? proposed ?? only ?? null;
  // A CA that nothing is bound to is bound in order to be used.
  const enable = enabled ?? (bound === null || certificate.provision_enable);
  const isChanged = template !== bound || enable !== certificate.provision_enable;
  const saving = useMutation({
    mutationFn: () => change(place, certificate.certificate_id, { template_id: template, provision_enable: enable }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["ca-certificates", place.instance] });
      setChosen(null);
      setEnabled(null);
    },
  });
  if (known.length === 0) {
    return (
      <Text size="sm">
        {words.noTemplates}{" "}
        <TextLink to="/instances/$instance/templates/$template" params={{ instance: place.instance, template: "new" }}>
          {words.createTemplate}
        </TextLink>
      </Text>
    );
  }
  return (
    <Stack gap="sm" align="flex-start">
      <Select
        label={words.template}
        placeholder={words.choose}
        data={known.map(({ template_id, template_name }) => ({ value: template_id, label: template_name }))}
        value={template}
        onChange={setChosen}
        allowDeselect={false}
        disabled={!mayChange}
        w="100%"
        maw="24rem"
      />
      <Switch
        label={words.enable}
        checked={enable}
        disabled={!mayChange}
        onChange={(event) => setEnabled(event.currentTarget.checked)}
      />
      {saving.error !== null && <Failure error={saving.error} />}
      {mayChange && (
        <Button onClick={() => saving.mutate()} loading={saving.isPending} disabled={template === null || !isChanged}>
          {bound === null ? words.submit : words.save}
        </Button>
      )}
    </Stack>
  );
}
