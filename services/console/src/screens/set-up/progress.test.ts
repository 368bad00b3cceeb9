import { expect, test } from "vitest";

import type { CaCertificate, Policy, Product, Space, Template } from "../../api/lists";
import { type Facts, nextStep, progressOf } from "./progress";

const nothing: Facts = {
  spaces: [],
  products: [],
  templates: [],
  policies: [],
  certificates: [],
  warnings: [],
  firstDevice: undefined,
};
const space = { app_id: "meters", app_name: "Meters", default_app: true } as Space;
const product = { product_id: "meter", app_id: "meters", name: "Meter" } as Product;
const template = {
  template_id: "t1",
  template_name: "meter-self-registration",
  template_body: {
    parameters: {},
    resources: { device: { node_id: { ref: "iotda::certificate::common_name" }, product_id: "meter" } },
  },
} as Template;
const open = { policy_id: "p0", policy_name: "system_default_policy", app_id: "meters" } as Policy;
const policy = { policy_id: "p1", policy_name: "meter_topics", app_id: "meters" } as Policy;
const uploaded = { certificate_id: "c1", app_id: "meters", status: false, provision_enable: false } as CaCertificate;

test("each step is done by what there is, and the first that is not is the next", () => {
  const proven = { ...uploaded, status: true };
  const bound = { ...proven, template_id: "t1", provision_enable: true };
  const stages: [Partial<Facts>, string][] = [
    [{}, "space"],
    [{ spaces: [space] }, "product"],
    [{ products: [product] }, "template"],
    [{ templates: [template], policies: [open] }, "policy"],
    [{ policies: [open, policy] }, "certificate"],
    [{ certificates: [uploaded] }, "proof"],
    [{ certificates: [proven] }, "binding"],
    [{ certificates: [{ ...proven, template_id: "t1" }] }, "binding"],
    [{ certificates: [bound] }, "debug"],
    [{ firstDevice: "meter_1" }, "device"],
  ];
  let facts = nothing;
  for (const [more, next] of stages) {
    facts = { ...facts, ...more };
    expect(nextStep(progressOf(facts, undefined)), JSON.stringify(more)).toBe(next);
  }
});

test("what another resource space has counts for nothing", () => {
  const other = { app_id: "trucks", app_name: "Trucks", default_app: false } as Space;
  const facts = {
    ...nothing,
    spaces: [space, other],
    products: [product],
    policies: [policy],
    certificates: [uploaded],
  };
  expect(progressOf(facts, "trucks").done).toMatchObject({
    space: true,
    product: false,
    policy: false,
    certificate: false,
  });
  expect(progressOf(facts, "meters").done).toMatchObject({ product: true, policy: true, certificate: true });
});

test("a policy that is bound to nothing is there and not done", () => {
  const of = (code: string, target?: string) => ({ code, text: "", app_id: "meters", ...(target && { target }) });
  const other = { ...policy, policy_id: "p2" };
  const facts = { ...nothing, spaces: [space], products: [product], policies: [open, policy] };
  for (const warning of [of("policy_unbound", "p1"), of("no_policy_bound")]) {
    const { policy: found, done } = progressOf({ ...facts, warnings: [warning] }, undefined);
    expect([found?.policy_id, done.policy]).toEqual(["p1", false]);
  }
  const several = { ...facts, policies: [policy, other], warnings: [of("policy_unbound", "p1")] };
  const { policy: bound, done } = progressOf(several, undefined);
  expect([bound?.policy_id, done.policy]).toEqual(["p2", true]);
});

test("of several CA certificates the one that registers devices is shown", () => {
  const bound = { ...uploaded, certificate_id: "c2", status: true, template_id: "t1", provision_enable: true };
  const facts = {
    ...nothing,
    spaces: [space],
    products: [product],
    templates: [template],
    certificates: [uploaded, bound],
  };
  expect(progressOf(facts, undefined).certificate?.certificate_id).toBe("c2");
});
