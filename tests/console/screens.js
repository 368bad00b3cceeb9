// Every screen, by its address below /console: what axe is run on, and what pictures are made of.

const TABS = ["timeline", "policies", "uplinks", "messages", "commands", "properties", "shadow"];

/** Of the demo's fleet. `ids`: what the server has named itself. `isOpen`: it is seen without signing in. */
export function screens({ certificate, attempt }) {
  const north = "/instances/north";
  const truck = `${north}/devices/truck_truck-0001`;
  return [
    { name: "sign-in", path: "/sign-in", isOpen: true },
    { name: "instances", path: "/" },
    { name: "account", path: "/account" },
    { name: "code", path: "/codes/certificate_attribute" },
    { name: "set-up", path: `${north}/set-up` },
    { name: "devices", path: `${north}/devices` },
    { name: "device", path: truck },
    ...TABS.map((tab) => ({ name: `device-${tab}`, path: `${truck}?tab=${tab}` })),
    { name: "attempts", path: `${north}/attempts` },
    { name: "live", path: `${north}/live` },
    { name: "templates", path: `${north}/templates` },
    { name: "template", path: `${north}/templates/truck-by-common-name` },
    { name: "template-json", path: `${north}/templates/truck-by-common-name?as=json` },
    { name: "new-template", path: `${north}/templates/new` },
    { name: "ca-certificates", path: `${north}/ca-certificates` },
    { name: "ca-upload", path: `${north}/ca-certificates?upload=true` },
    { name: "ca-certificate", path: `${north}/ca-certificates/${certificate}` },
    { name: "debug", path: `${north}/debug` },
    { name: "debug-attempt", path: `${north}/debug?attempt=${attempt}` },
    { name: "policies", path: `${north}/policies` },
    { name: "policy", path: `${north}/policies/truck-topics` },
    { name: "new-policy", path: `${north}/policies/new` },
    { name: "products", path: `${north}/products` },
    { name: "product", path: `${north}/products/truck` },
    { name: "new-product", path: `${north}/products/new` },
    { name: "spaces", path: `${north}/spaces` },
    { name: "space", path: `${north}/spaces/vehicles` },
    { name: "new-space", path: `${north}/spaces/new` },
    { name: "not-found", path: "/no-such-screen" },
  ];
}
