import { Button, Group, Select, Stack, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type SubmitEvent, useState } from "react";

import type { Schemas } from "../../api/client";
import { type Product, spaces } from "../../api/lists";
import type { Place } from "../../api/place";
import { CopyAs } from "../../kit/CopyAs";
import { Failure } from "../../kit/Failure";
import { parseJson } from "../../kit/json";
import { JsonEditor } from "../../kit/JsonEditor";
import { texts } from "../../texts";
import { described } from "./described";
import { create, update } from "./queries";

interface Props {
  place: Place;
  /** What is changed; a new one when absent. */
  product?: Product;
  readOnly: boolean;
}

const TEXT_FIELDS = ["name", "device_type", "manufacturer_name", "industry"] as const;
const REQUIRED = ["name", "device_type"];

export function ProductForm({ place, product, readOnly }: Props) {
  const words = texts.product;
  const labels = {
    name: words.name,
    device_type: words.deviceType,
    manufacturer_name: words.manufacturer,
    industry: words.industry,
  };
  const [id, setId] = useState("");
  const [fields, setFields] = useState(() => ({
    name: product?.name ?? "",
    device_type: product?.device_type ?? "",
    manufacturer_name: product?.manufacturer_name ?? "",
    industry: product?.industry ?? "",
    description: product?.description ?? "",
    data_format: product?.data_format ?? "json",
  }));
  const [services, setServices] = useState(() => JSON.stringify(product?.service_capabilities ?? [], null, 2));
  const [chosen, setSpace] = useState<string | null>(null);
  const known = useQuery(spaces(place)).data ?? [];
  const space = product?.app_id ?? chosen ?? known.find(({ default_app }) => default_app)?.app_id ?? known[0]?.app_id;
  const { value } = parseJson(services);
  const isList = Array.isArray(value);
  const set = (field: keyof typeof fields, text: string) => setFields((now) => ({ ...now, [field]: text }));
  const queries = useQueryClient();
  const navigate = useNavigate();
  const wanted = { ...fields, service_capabilities: value as Schemas["ServiceCapability"][] };
  const named = { ...(id === "" ? {} : { product_id: id }), ...(space === undefined ? {} : { app_id: space }) };
  const made = { ...wanted, ...named, protocol_type: "MQTT" };
  const saving = useMutation({
    mutationFn: () =>
      product === undefined ? create(place, made) : update(place, { product: product.product_id, space }, wanted),
    onSuccess: async ({ product_id, app_id }) => {
      await queries.invalidateQueries({ queryKey: ["products", place.instance] });
      if (product === undefined) {
        await navigate({
          to: "/instances/$instance/products/$product",
          params: { instance: place.instance, product: product_id },
          search: { space: app_id },
        });
      }
    },
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    saving.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm" maw="48rem">
        {product === undefined && known.length > 1 && (
          <Select
            label={words.space}
            data={known.map(({ app_id, app_name }) => ({ value: app_id, label: app_name }))}
            value={space ?? null}
            onChange={setSpace}
            allowDeselect={false}
          />
        )}
        <TextInput
          label={words.id}
          description={product === undefined ? words.idHint : undefined}
          value={product?.product_id ?? id}
          readOnly={product !== undefined || readOnly}
          onChange={(event) => setId(event.currentTarget.value)}
        />
        {TEXT_FIELDS.map((field) => (
          <TextInput
            key={field}
            label={labels[field]}
            required={REQUIRED.includes(field)}
            readOnly={readOnly}
            value={fields[field]}
            onChange={(event) => set(field, event.currentTarget.value)}
          />
        ))}
        <Textarea
          label={words.description}
          readOnly={readOnly}
          autosize
          value={fields.description}
          onChange={(event) => set("description", event.currentTarget.value)}
        />
        <Select
          label={words.dataFormat}
          data={Object.entries(words.formats).map(([format, label]) => ({ value: format, label }))}
          value={fields.data_format}
          readOnly={readOnly}
          onChange={(format) => set("data_format", format ?? "json")}
          allowDeselect={false}
        />
        <JsonEditor
          label={words.services}
          description={words.servicesHint}
          value={services}
          onChange={setServices}
          problem={isList ? undefined : words.notAList}
          readOnly={readOnly}
        />
        {saving.error !== null && <Failure error={saving.error} />}
        {!readOnly && (
          <Group gap="sm">
            <Button type="submit" loading={saving.isPending} disabled={!isList}>
              {product === undefined ? words.submit : words.save}
            </Button>
            {product === undefined && isList && <CopyAs of={described(place, made)} />}
          </Group>
        )}
      </Stack>
    </form>
  );
}
