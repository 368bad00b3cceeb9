import { NavItem as Item } from "../kit/links";
import { texts } from "../texts";

/** The screens of one instance. */
export function Navigation({ instance }: { instance: string | undefined }) {
  const here = { activeProps: { active: true } };
  return (
    <>
      <Item to="/" label={texts.instances.title} activeOptions={{ exact: true }} {...here} />
      {instance !== undefined && (
        <>
          <Item to="/instances/$instance/set-up" params={{ instance }} label={texts.setUp.title} {...here} />
          <Item to="/instances/$instance/devices" params={{ instance }} label={texts.devices.title} {...here} />
          <Item to="/instances/$instance/attempts" params={{ instance }} label={texts.attempts.title} {...here} />
          <Item to="/instances/$instance/live" params={{ instance }} label={texts.live.title} {...here} />
          <Item to="/instances/$instance/templates" params={{ instance }} label={texts.templates.title} {...here} />
          <Item
            to="/instances/$instance/ca-certificates"
            params={{ instance }}
            label={texts.caCertificates.title}
            {...here}
          />
          <Item to="/instances/$instance/debug" params={{ instance }} label={texts.debug.title} {...here} />
          <Item to="/instances/$instance/policies" params={{ instance }} label={texts.policies.title} {...here} />
          <Item to="/instances/$instance/products" params={{ instance }} label={texts.products.title} {...here} />
          <Item to="/instances/$instance/spaces" params={{ instance }} label={texts.spaces.title} {...here} />
        </>
      )}
    </>
  );
}
