import { NativeSelect, Select, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { products, spaces } from "../../api/lists";
import { usePlace } from "../../api/place";
import { TextLink } from "../../kit/links";
import { visible } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { bySpace } from "./choices";
import { PARAMETERS, type Source } from "./form";
import classes from "./TemplateScreen.module.css";

/** The product that a device will belong to: one for all, by its name, or named by the certificate. */
export function ProductField({ source, onChange }: { source: Source; onChange: (source: Source) => void }) {
  const place = usePlace();
  const { data: all } = useQuery(products(place));
  const { data: named } = useQuery(spaces(place));
  const id = source.from === "text" ? source.text : "";
  const isKnown = id === "" || all === undefined || all.some((product) => product.product_id === id);
  const groups = bySpace(all ?? [], named, ({ product_id, name }) => ({
    value: product_id,
    label: `${visible(name)} (${product_id})`,
  }));
  const stray = isKnown ? [] : [{ value: id, label: texts.template.productUnknown(visible(id)) }];
  const choose = (value: string) =>
    onChange(value === "text" ? { from: "text", text: "" } : { from: "certificate", parameter: value });
  return (
    <div className={classes["source"]}>
      <NativeSelect
        label={texts.template.productSource}
        data={[
          { value: "text", label: texts.template.fromText },
          ...PARAMETERS.map((name) => ({ value: name, label: texts.template.fromCertificate(name) })),
        ]}
        value={source.from === "certificate" ? source.parameter : "text"}
        onChange={(event) => choose(event.currentTarget.value)}
      />
      {source.from !== "certificate" && (
        <div>
          <Select
            label={texts.template.product}
            description={texts.template.productHint}
            required
            searchable
            data={[...stray, ...groups]}
            value={id === "" ? null : id}
            onChange={(value) => onChange({ from: "text", text: value ?? "" })}
          />
          {all?.length === 0 && (
            <Text size="sm" mt={4}>
              {texts.template.noProduct}{" "}
              <TextLink to="/instances/$instance/products" params={{ instance: place.instance }}>
                {texts.template.makeProduct}
              </TextLink>
            </Text>
          )}
        </div>
      )}
    </div>
  );
}
