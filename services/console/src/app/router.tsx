import type { QueryClient } from "@tanstack/react-query";
import { createRoute, createRouter, lazyRouteComponent, Outlet } from "@tanstack/react-router";

import { instancesSearch } from "../screens/instances/search";
import { setUpSearch } from "../screens/set-up/search";
import { devicesSearch } from "../screens/devices/search";
import { deviceSearch } from "../screens/device/search";
import { attemptsSearch } from "../screens/attempts/search";
import { liveSearch } from "../screens/live/search";
import { templatesSearch } from "../screens/templates/search";
import { templateSearch } from "../screens/template/search";
import { caCertificatesSearch } from "../screens/ca-certificates/search";
import { caCertificateSearch } from "../screens/ca-certificate/search";
import { debugSearch } from "../screens/debug/search";
import { policiesSearch } from "../screens/policies/search";
import { policySearch } from "../screens/policy/search";
import { productsSearch } from "../screens/products/search";
import { productSearch } from "../screens/product/search";
import { spacesSearch } from "../screens/spaces/search";
import { spaceSearch } from "../screens/space/search";
import { account, root, signedIn, signIn } from "./signedIn";

const instances = createRoute({
  getParentRoute: () => signedIn,
  path: "/",
  validateSearch: instancesSearch,
  component: lazyRouteComponent(() => import("../screens/instances/InstancesScreen"), "InstancesScreen"),
});
const instance = createRoute({ getParentRoute: () => signedIn, path: "/instances/$instance", component: Outlet });
const setUp = createRoute({
  getParentRoute: () => instance,
  path: "set-up",
  validateSearch: setUpSearch,
  component: lazyRouteComponent(() => import("../screens/set-up/SetUpScreen"), "SetUpScreen"),
});
const devices = createRoute({
  getParentRoute: () => instance,
  path: "devices",
  validateSearch: devicesSearch,
  component: lazyRouteComponent(() => import("../screens/devices/DevicesScreen"), "DevicesScreen"),
});
const device = createRoute({
  getParentRoute: () => instance,
  path: "devices/$device",
  validateSearch: deviceSearch,
  component: lazyRouteComponent(() => import("../screens/device/DeviceScreen"), "DeviceScreen"),
});
const attempts = createRoute({
  getParentRoute: () => instance,
  path: "attempts",
  validateSearch: attemptsSearch,
  component: lazyRouteComponent(() => import("../screens/attempts/AttemptsScreen"), "AttemptsScreen"),
});
const live = createRoute({
  getParentRoute: () => instance,
  path: "live",
  validateSearch: liveSearch,
  component: lazyRouteComponent(() => import("../screens/live/LiveScreen"), "LiveScreen"),
});
const templates = createRoute({
  getParentRoute: () => instance,
  path: "templates",
  validateSearch: templatesSearch,
  component: lazyRouteComponent(() => import("../screens/templates/TemplatesScreen"), "TemplatesScreen"),
});
const template = createRoute({
  getParentRoute: () => instance,
  path: "templates/$template",
  validateSearch: templateSearch,
  component: lazyRouteComponent(() => import("../screens/template/TemplateScreen"), "TemplateScreen"),
});
const caCertificates = createRoute({
  getParentRoute: () => instance,
  path: "ca-certificates",
  validateSearch: caCertificatesSearch,
  component: lazyRouteComponent(
    () => import("../screens/ca-certificates/CaCertificatesScreen"),
    "CaCertificatesScreen",
  ),
});
const caCertificate = createRoute({
  getParentRoute: () => instance,
  path: "ca-certificates/$certificate",
  validateSearch: caCertificateSearch,
  component: lazyRouteComponent(() => import("../screens/ca-certificate/CaCertificateScreen"), "CaCertificateScreen"),
});
const debug = createRoute({
  getParentRoute: () => instance,
  path: "debug",
  validateSearch: debugSearch,
  component: lazyRouteComponent(() => import("../screens/debug/DebugScreen"), "DebugScreen"),
});
const code = createRoute({
  getParentRoute: () => signedIn,
  path: "/codes/$code",
  component: lazyRouteComponent(() => import("../screens/code/CodeScreen"), "CodeScreen"),
});
const policies = createRoute({
  getParentRoute: () => instance,
  path: "policies",
  validateSearch: policiesSearch,
  component: lazyRouteComponent(() => import("../screens/policies/PoliciesScreen"), "PoliciesScreen"),
});
const policy = createRoute({
  getParentRoute: () => instance,
  path: "policies/$policy",
  validateSearch: policySearch,
  component: lazyRouteComponent(() => import("../screens/policy/PolicyScreen"), "PolicyScreen"),
});
const products = createRoute({
  getParentRoute: () => instance,
  path: "products",
  validateSearch: productsSearch,
  component: lazyRouteComponent(() => import("../screens/products/ProductsScreen"), "ProductsScreen"),
});
const product = createRoute({
  getParentRoute: () => instance,
  path: "products/$product",
  validateSearch: productSearch,
  component: lazyRouteComponent(() => import("../screens/product/ProductScreen"), "ProductScreen"),
});
const spaces = createRoute({
  getParentRoute: () => instance,
  path: "spaces",
  validateSearch: spacesSearch,
  component: lazyRouteComponent(() => import("../screens/spaces/SpacesScreen"), "SpacesScreen"),
});
const space = createRoute({
  getParentRoute: () => instance,
  path: "spaces/$space",
  validateSearch: spaceSearch,
  component: lazyRouteComponent(() => import("../screens/space/SpaceScreen"), "SpaceScreen"),
});

const tree = root.addChildren([
  signIn,
  signedIn.addChildren([
    instances,
    account,
    code,
    instance.addChildren([
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
      policies,
      policy,
      products,
      product,
      spaces,
      space,
    ]),
  ]),
]);

export function makeRouter(queries: QueryClient) {
  return createRouter({
    routeTree: tree,
    basepath: "/console",
    context: { queries },
    defaultPreload: "intent",
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
