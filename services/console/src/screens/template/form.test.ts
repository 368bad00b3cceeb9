import { expect, test } from "vitest";

import {
  addTag,
  declare,
  newBody,
  removeTag,
  setOnCertificateChange,
  setPolicies,
  setProduct,
  setReference,
  setTag,
} from "./edits";
import { formOf, usesOf } from "./form";
import type { JsonObject } from "./json";

const CN = "iotda::certificate::common_name";
const O = "iotda::certificate::organization";

const body = (): JsonObject => ({
  parameters: { [CN]: { type: "String" }, "iotda::certificate::street": { type: "String" } },
  resources: {
    device: {
      node_id: { ref: CN },
      product_id: "truck",
      tags: [
        { tag_key: "kind", tag_value: "truck", note: 1 },
        "stray",
        { tag_key: { ref: CN }, tag_value: { ref: O } },
      ],
      colour: "red",
    },
    policy: { policy_ids: ["p1", 7], later: {} },
  },
  on_certificate_change: "replace",
  version: 2,
});

test("the form shows each field and names what it does not show", () => {
  expect(formOf(body())).toEqual({
    parameters: [CN],
    references: {
      node_id: { from: "certificate", parameter: CN },
      device_id: { from: "nowhere" },
      device_name: { from: "nowhere" },
    },
    product: { from: "text", text: "truck" },
    tags: [
      { index: 0, key: { from: "text", text: "kind" }, value: { from: "text", text: "truck" } },
      { index: 2, key: { from: "certificate", parameter: CN }, value: { from: "certificate", parameter: O } },
    ],
    policies: ["p1"],
    onCertificateChange: "replace",
    others: [
      "version",
      "parameters.iotda::certificate::street",
      "resources.device.colour",
      "resources.policy.later",
      "resources.device.tags[0].note",
      "resources.device.tags[1]",
      "resources.policy.policy_ids[1]",
    ],
  });
});

test("a field of another shape is not taken for one that is absent", () => {
  const odd = { parameters: [], resources: { device: { node_id: "static", device_id: { Ref: CN }, tags: {} } } };
  expect(formOf(odd).others).toEqual([
    "parameters",
    "resources.device.node_id",
    "resources.device.device_id",
    "resources.device.tags",
  ]);
  expect(formOf({ on_certificate_change: "maybe" }).others).toEqual(["on_certificate_change"]);
});

test("every edit keeps what the form does not show", () => {
  let edited = body();
  edited = setReference(edited, "device_name", { from: "certificate", parameter: O });
  edited = setProduct(edited, { from: "text", text: "van" });
  edited = setTag(edited, 2, "tag_value", { from: "text", text: "x" });
  edited = removeTag(edited, 0);
  edited = addTag(edited);
  edited = setPolicies(edited, ["p2"]);
  edited = setOnCertificateChange(edited, "reject");
  expect(edited).toEqual({
    parameters: { [CN]: { type: "String" }, "iotda::certificate::street": { type: "String" }, [O]: { type: "String" } },
    resources: {
      device: {
        node_id: { ref: CN },
        product_id: "van",
        tags: ["stray", { tag_key: { ref: CN }, tag_value: "x" }, { tag_key: "", tag_value: "" }],
        colour: "red",
        device_name: { ref: O },
      },
      policy: { policy_ids: ["p2", 7], later: {} },
    },
    version: 2,
  });
});

test("an edit does not change the body that it is made of", () => {
  const before = body();
  setTag(setPolicies(before, []), 0, "tag_key", { from: "text", text: "other" });
  expect(before).toEqual(body());
});

test("choosing an attribute declares it, once", () => {
  const declared = setReference(newBody(), "node_id", { from: "certificate", parameter: O });
  expect(declared["parameters"]).toEqual({ [CN]: { type: "String" }, [O]: { type: "String" } });
  const odd = { parameters: { [O]: { type: "string", more: 1 } } };
  expect(declare(odd, O, true)).toBe(odd);
  expect(declare(odd, O, false)).toEqual({ parameters: {} });
});

test("the last tag and the last policy leave nothing behind", () => {
  const bare = newBody();
  expect(removeTag(addTag(bare), 0)).toEqual(bare);
  expect(setPolicies(setPolicies(bare, ["p"]), [])).toEqual(bare);
});

test("the fields that refer to a parameter are known", () => {
  expect(usesOf(formOf(body()))).toEqual(
    new Map([
      [CN, [{ field: "node_id" }, { field: "tag_key", index: 2 }]],
      [O, [{ field: "tag_value", index: 2 }]],
    ]),
  );
});

test("a form can be read of any JSON object", () => {
  for (const odd of [{}, { parameters: 1, resources: [] }, { resources: { device: "x", policy: 0 } }]) {
    expect(() => addTag(setReference(odd, "node_id", { from: "certificate", parameter: CN }))).not.toThrow();
  }
  expect(setProduct({ resources: 1 }, { from: "text", text: "p" })).toEqual({
    resources: { device: { product_id: "p" } },
  });
});
