import { DEFAULT_POLICY } from "../policy/statements";
import type { CaCertificate, Policy, Product, Space, Template } from "../../api/lists";
import type { Warning } from "../instances/queries";

/** The steps of the procedure, in their order. */
export const STEPS = [
  "space",
  "product",
  "template",
  "policy",
  "certificate",
  "proof",
  "binding",
  "debug",
  "device",
] as const;
export type Step = (typeof STEPS)[number];

/** What the API says of an instance. */
export interface Facts {
  spaces: Space[];
  products: Product[];
  /** With their bodies. */
  templates: Template[];
  policies: Policy[];
  certificates: CaCertificate[];
  /** What the overview of the instance warns of. */
  warnings: Warning[];
  /** Whether a device has registered itself in the resource space. */
  firstDevice: string | undefined;
}

/** Of a resource space: what each step has come to. */
export interface Progress {
  space: Space | undefined;
  product: Product | undefined;
  template: Template | undefined;
  policy: Policy | undefined;
  certificate: CaCertificate | undefined;
  firstDevice: string | undefined;
  done: Record<Step, boolean>;
}

/** Which product a template makes devices of; absent where a certificate says it. */
function productOf({ template_body }: Template): string | undefined {
  const named = template_body?.resources.device.product_id;
  return typeof named === "string" ? named : undefined;
}

/** What of the procedure is done in a resource space, by what there is and nothing else. */
export function progressOf(facts: Facts, wanted: string | undefined): Progress {
  const space =
    facts.spaces.find(({ app_id }) => app_id === wanted) ??
    facts.spaces.find(({ default_app }) => default_app) ??
    facts.spaces[0];
  const here = <Owned extends { app_id: string }>(all: Owned[]) => all.filter(({ app_id }) => app_id === space?.app_id);
  const [products, certificates] = [here(facts.products), here(facts.certificates)];
  // The furthest of several: one that registers devices before one that could.
  const certificate =
    certificates.find(({ status, provision_enable }) => status && provision_enable) ??
    certificates.find(({ status }) => status) ??
    certificates[0];
  const template =
    facts.templates.find(({ template_id }) => template_id === certificate?.template_id) ??
    facts.templates.find((one) => products.some(({ product_id }) => product_id === productOf(one)));
  const product =
    products.find(({ product_id }) => template !== undefined && product_id === productOf(template)) ?? products[0];
  const own = here(facts.policies).filter(({ policy_name }) => policy_name !== DEFAULT_POLICY);
  const warnings = facts.warnings.filter(({ app_id }) => app_id === space?.app_id);
  const isInEffect = ({ policy_id }: Policy) =>
    !warnings.some(
      ({ code, target }) => code === "no_policy_bound" || (code === "policy_unbound" && target === policy_id),
    );
  const policy = own.find(isInEffect) ?? own[0];
  const isBound = certificate?.template_id !== null && certificate?.template_id !== undefined;
  return {
    space,
    product,
    template,
    policy,
    certificate,
    firstDevice: facts.firstDevice,
    done: {
      space: space !== undefined,
      product: product !== undefined,
      template: template !== undefined,
      policy: policy !== undefined && isInEffect(policy),
      certificate: certificate !== undefined,
      proof: certificate?.status === true,
      binding: isBound && certificate.provision_enable,
      // A certificate that was debugged leaves nothing in the log; a device that registered itself has shown the same.
      debug: facts.firstDevice !== undefined,
      device: facts.firstDevice !== undefined,
    },
  };
}

/** The step that is next; the last one where all are done. */
export function nextStep({ done }: Progress): Step {
  return STEPS.find((step) => !done[step]) ?? "device";
}
