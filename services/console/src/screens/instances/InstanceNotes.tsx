import { TextLink } from "../../kit/links";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import classes from "./InstancesScreen.module.css";
import type { Overview, Warning } from "./queries";

/** Of each kind; the screen that the last line leads to has all. */
const SHOWN_MAX = 3;

interface NotesProps {
  instance: string;
  overview: Overview;
  /** When the overview was had, ms since 1970. */
  now: number;
}

/** What of an instance wants somebody: CA certificates that end, and what is hardly as it was meant. */
export function InstanceNotes({ instance, overview, now }: NotesProps) {
  const { certificates_ending: ending, warnings } = overview;
  if (ending.length === 0 && warnings.length === 0) {
    return null;
  }
  return (
    <ul className={classes["notes"]}>
      {ending.slice(0, SHOWN_MAX).map(({ certificate_id: certificate, cn_name, not_after }) => (
        <li key={certificate} data-tone="warn">
          <TextLink
            to="/instances/$instance/ca-certificates/$certificate"
            params={{ instance, certificate }}
            inherit
            underline="always"
          >
            <Untrusted text={cn_name} />
          </TextLink>{" "}
          {Date.parse(not_after) < now ? texts.instances.hasEnded : texts.instances.ends} <Time at={not_after} dated />
        </li>
      ))}
      {warnings.slice(0, SHOWN_MAX).map((warning) => (
        <li key={`${warning.code} ${warning.app_id ?? ""} ${warning.target ?? ""}`} data-tone="warn">
          <Untrusted text={warning.text} /> <Mend instance={instance} warning={warning} />
        </li>
      ))}
      {(ending.length > SHOWN_MAX || warnings.length > SHOWN_MAX) && (
        <li>
          <TextLink to="/instances/$instance/set-up" params={{ instance }} inherit underline="always">
            {texts.instances.more(Math.max(ending.length - SHOWN_MAX, 0) + Math.max(warnings.length - SHOWN_MAX, 0))}
          </TextLink>
        </li>
      )}
    </ul>
  );
}

/** Leads to where it is mended, where that is a screen of the console. */
function Mend({ instance, warning: { code, target } }: { instance: string; warning: Warning }) {
  if (code.startsWith("ca_") || code === "self_registration_off") {
    return target === null || target === undefined ? null : (
      <TextLink
        to="/instances/$instance/ca-certificates/$certificate"
        params={{ instance, certificate: target }}
        inherit
        underline="always"
      >
        {texts.instances.mend.ca}
      </TextLink>
    );
  }
  return code.includes("policy") ? (
    <TextLink to="/instances/$instance/policies" params={{ instance }} inherit underline="always">
      {texts.instances.mend.policies}
    </TextLink>
  ) : null;
}
