import { texts } from "../texts";

/** The screens of an instance that can be gone to from everywhere, in the groups of the navigation. */
export const sections = [
  {
    id: "fleet",
    label: texts.shell.groups.fleet,
    screens: [
      { to: "/instances/$instance/devices", label: texts.devices.title },
      { to: "/instances/$instance/attempts", label: texts.attempts.title },
      { to: "/instances/$instance/live", label: texts.live.title },
    ],
  },
  {
    id: "registration",
    label: texts.shell.groups.registration,
    screens: [
      { to: "/instances/$instance/set-up", label: texts.setUp.title },
      { to: "/instances/$instance/templates", label: texts.templates.title },
      { to: "/instances/$instance/ca-certificates", label: texts.caCertificates.title },
      { to: "/instances/$instance/debug", label: texts.debug.title },
    ],
  },
  {
    id: "model",
    label: texts.shell.groups.model,
    screens: [
      { to: "/instances/$instance/policies", label: texts.policies.title },
      { to: "/instances/$instance/products", label: texts.products.title },
      { to: "/instances/$instance/spaces", label: texts.spaces.title },
    ],
  },
] as const;

export type ScreenPath = (typeof sections)[number]["screens"][number]["to"];

/** The screen of another instance that is the same as this one; of a thing in it, the list of such things. */
export function sameScreen(path: string): ScreenPath {
  const name = /^\/(?:console\/)?instances\/[^/]+\/([^/]+)/.exec(path)?.[1];
  const all = sections.flatMap(({ screens }): readonly { to: ScreenPath }[] => screens);
  return all.find(({ to }) => to.endsWith(`/${name ?? ""}`))?.to ?? "/instances/$instance/devices";
}
