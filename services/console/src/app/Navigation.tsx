import { NavItem } from "../kit/links";
import { texts } from "../texts";
import { sections } from "./sections";
import classes from "./Shell.module.css";

/** The screens: all instances, and those of the one that the URL names. */
export function Navigation({ instance }: { instance: string | undefined }) {
  const here = { activeProps: { active: true, "aria-current": "page" as const } };
  return (
    <>
      <NavItem to="/" label={texts.instances.title} activeOptions={{ exact: true }} {...here} />
      {instance !== undefined &&
        sections.map(({ id, label, screens }) => (
          <div key={id} role="group" aria-labelledby={`nav-${id}`}>
            <div id={`nav-${id}`} className={classes["group"]}>
              {label}
            </div>
            {screens.map(({ to, label }) => (
              <NavItem key={to} to={to} params={{ instance }} label={label} {...here} />
            ))}
          </div>
        ))}
    </>
  );
}
