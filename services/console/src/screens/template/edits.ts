// The edits that the form makes to a template body. Each writes the JSON anew, so that what the form does not show stays as
// it was written.

import type { Form, ReferenceField, Source } from "./form";
import { isObject, type Json, type JsonObject } from "./json";

/** A body to begin with: the node id is the certificate's CN. */
export function newBody(): JsonObject {
  const common = "iotda::certificate::common_name";
  return {
    parameters: { [common]: { type: "String" } },
    resources: { device: { node_id: { ref: common }, product_id: "" } },
  };
}

/** Declares a parameter, or takes the declaration away. */
export function declare(body: JsonObject, parameter: string, isDeclared: boolean): JsonObject {
  const path = ["parameters", parameter];
  if (isDeclared && isObject(body["parameters"]) && parameter in body["parameters"]) {
    return body;
  }
  return put(body, path, isDeclared ? { type: "String" } : undefined);
}

export function setReference(body: JsonObject, field: ReferenceField, source: Source): JsonObject {
  return setSource(body, ["resources", "device", field], source);
}

export function setProduct(body: JsonObject, source: Source): JsonObject {
  return setSource(body, ["resources", "device", "product_id"], source);
}

const TAGS = ["resources", "device", "tags"];

export function setTag(body: JsonObject, index: number, part: "tag_key" | "tag_value", source: Source): JsonObject {
  return setSource(body, [...TAGS, index, part], source);
}

export function addTag(body: JsonObject): JsonObject {
  return put(body, TAGS, [...tagsOf(body), { tag_key: "", tag_value: "" }]);
}

export function removeTag(body: JsonObject, index: number): JsonObject {
  const tags = tagsOf(body).toSpliced(index, 1);
  return put(body, TAGS, tags.length === 0 ? undefined : tags);
}

/** Binds these policies, beside what else is in the list and is no id. */
export function setPolicies(body: JsonObject, ids: string[]): JsonObject {
  const path = ["resources", "policy", "policy_ids"];
  const before = get(body, path);
  const others = Array.isArray(before) ? before.filter((id) => typeof id !== "string") : [];
  const all = [...ids, ...others];
  const bound = put(body, path, all.length === 0 ? undefined : all);
  const policy = get(bound, ["resources", "policy"]);
  const isEmpty = isObject(policy) && Object.keys(policy).length === 0;
  return isEmpty ? put(bound, ["resources", "policy"], undefined) : bound;
}

export function setOnCertificateChange(body: JsonObject, rule: Form["onCertificateChange"]): JsonObject {
  return put(body, ["on_certificate_change"], rule === "reject" ? undefined : rule);
}

/** A reference is to a declared parameter, so that choosing one declares it. */
function setSource(body: JsonObject, path: Path, source: Source): JsonObject {
  switch (source.from) {
    case "nowhere":
      return put(body, path, undefined);
    case "text":
      return put(body, path, source.text);
    case "certificate":
      return put(declare(body, source.parameter, true), path, { ref: source.parameter });
  }
}

function tagsOf(body: JsonObject): Json[] {
  const tags = get(body, TAGS);
  return Array.isArray(tags) ? tags : [];
}

type Path = readonly (string | number)[];

function get(value: Json | undefined, path: Path): Json | undefined {
  return path.reduce<Json | undefined>((value, step) => {
    if (typeof step === "number") {
      return Array.isArray(value) ? value[step] : undefined;
    }
    return isObject(value) ? value[step] : undefined;
  }, value);
}

/** The same with another value at a path, or without it; what is on the way and no object becomes one. */
function put(body: JsonObject, path: Path, value: Json | undefined): JsonObject {
  return changed(body, path, value) as JsonObject;
}

function changed(old: Json | undefined, [step, ...rest]: Path, value: Json | undefined): Json | undefined {
  if (step === undefined) {
    return value;
  }
  if (typeof step === "number") {
    return Array.isArray(old) ? old.map((item, n) => (n === step ? (changed(item, rest, value) ?? item) : item)) : old;
  }
  const object = isObject(old) ? old : {};
  const inner = changed(object[step], rest, value);
  if (inner === undefined) {
    return Object.fromEntries(Object.entries(object).filter(([name]) => name !== step));
  }
  return { ...object, [step]: inner };
}
