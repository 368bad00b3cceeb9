import { Chip, Group, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";

import { caCertificates, products, spaces, templates } from "../../api/lists";
import { usePlace } from "../../api/place";
import { SearchField } from "../../kit/SearchField";
import { visible } from "../../kit/Untrusted";
import { texts } from "../../texts";
import classes from "./DevicesTable.module.css";
import { type DevicesSearch, type Filters as Chosen, STATES, type State } from "./search";

type Choice = { value: string; label: string };

/** By what the list is filtered; the URL carries it. */
export function Filters({ search }: { search: DevicesSearch }) {
  const place = usePlace();
  const navigate = useNavigate({ from: "/instances/$instance/devices" });
  const choose = (change: { [Key in keyof Chosen]: Chosen[Key] | undefined }) =>
    void navigate({ search: (before) => withoutAbsent({ ...before, ...change, row: undefined }), replace: true });
  const options: [keyof Chosen, string, Choice[]][] = [
    ["product", words.product, (useQuery(products(place)).data ?? []).map((p) => choice(p.product_id, p.name))],
    ["space", words.space, (useQuery(spaces(place)).data ?? []).map((s) => choice(s.app_id, s.app_name))],
    ["ca", words.ca, (useQuery(caCertificates(place)).data ?? []).map((c) => choice(c.certificate_id, c.cn_name))],
    [
      "template",
      words.template,
      (useQuery(templates(place)).data ?? []).map((t) => choice(t.template_id, t.template_name)),
    ],
  ];
  return (
    <search>
      <div className={classes["filters"]}>
        <div className={classes["search"]}>
          <SearchField
            value={search.q ?? ""}
            onChange={(q) => choose({ q: q.trim() === "" ? undefined : q })}
            label={words.search}
            placeholder={words.searchShort}
          />
        </div>
        {options.map(([key, label, data]) => (
          <Select
            key={key}
            data={withChosen(data, search[key])}
            value={search[key] ?? null}
            onChange={(value) => choose({ [key]: value ?? undefined })}
            placeholder={label}
            aria-label={label}
            clearable
            searchable
            clearButtonProps={{ "aria-label": words.clear(label) }}
          />
        ))}
      </div>
      <Chip.Group
        value={search.state ?? "all"}
        onChange={(value) => choose({ state: STATES.find((s) => s === value) })}
      >
        <Group className={classes["states"] ?? ""} role="radiogroup" aria-label={words.state} gap={6}>
          <Chip value="all" size="xs">
            {words.all}
          </Chip>
          {STATES.map((state: State) => (
            <Chip key={state} value={state} size="xs">
              {words.states[state]}
            </Chip>
          ))}
        </Group>
      </Chip.Group>
    </search>
  );
}

const words = texts.devices.filters;

function choice(value: string, label: string): Choice {
  return { value, label: label === "" ? value : visible(label) };
}

/** A choice that is not in the list, such as a CA that was deleted, is shown by its id. */
export function withChosen(data: Choice[], chosen: string | undefined): Choice[] {
  return chosen === undefined || data.some(({ value }) => value === chosen) ? data : [...data, choice(chosen, chosen)];
}

function withoutAbsent(search: Record<string, unknown>): DevicesSearch {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined));
}
