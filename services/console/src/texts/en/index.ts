import { account } from "./account";
import { attempts } from "./attempts";
import { caCertificate } from "./caCertificate";
import { caCertificates } from "./caCertificates";
import { checks } from "./checks";
import { code } from "./code";
import { debug } from "./debug";
import { device } from "./device";
import { devices } from "./devices";
import { failure } from "./failure";
import { instances } from "./instances";
import { kit } from "./kit";
import { live } from "./live";
import { notFound } from "./notFound";
import { policies } from "./policies";
import { policy } from "./policy";
import { product } from "./product";
import { products } from "./products";
import { setUp } from "./setUp";
import { shell } from "./shell";
import { signIn } from "./signIn";
import { space } from "./space";
import { spaces } from "./spaces";
import { template } from "./template";
import { templates } from "./templates";
import { wouldBe } from "./wouldBe";

/** The texts in English. */
export const en = {
  locale: "en-GB",
  name: "Rollcall",
  shell,
  signIn,
  account,
  instances,
  kit,
  wouldBe,
  checks,
  failure,
  notFound,
  setUp,
  devices,
  device,
  attempts,
  live,
  templates,
  template,
  caCertificates,
  caCertificate,
  debug,
  code,
  policies,
  policy,
  products,
  product,
  spaces,
  space,
};
