// Every screen, by its address below /console: what axe is run on, and what pictures are made of.

/** Of the demo's fleet. `ids`: what the server has named itself. `isOpen`: it is seen without signing in. */
export function screens({ certificate }) {
  const north = "/instances/north";
  return [
    { name: "sign-in", path: "/sign-in", isOpen: true },
    { name: "instances", path: "/" },
    { name: "account", path: "/account" },
    { name: "code", path: "/codes/certificate_attribute" },
    { name: "set-up", path: `${north}/set-up` },
    { name: "devices", path: `${north}/devices` },
    { name: "device", path: `${north}/devices/truck_truck-0001` },
    { name: "attempts", path: `${north}/attempts` },
    { name: "live", path: `${north}/live` },
    { name: "templates", path: `${north}/templates` },
    { name: "template", path: `${north}/templates/truck-by-common-name` },
    { name: "ca-certificates", path: `${north}/ca-certificates` },
    { name: "ca-certificate", path: `${north}/ca-certificates/${certificate}` },
    { name: "debug", path: `${north}/debug` },
    { name: "policies", path: `${north}/policies` },
    { name: "policy", path: `${north}/policies/truck-topics` },
    { name: "products", path: `${north}/products` },
    { name: "product", path: `${north}/products/truck` },
    { name: "spaces", path: `${north}/spaces` },
    { name: "space", path: `${north}/spaces/vehicles` },
    { name: "not-found", path: "/no-such-screen" },
  ];
}
