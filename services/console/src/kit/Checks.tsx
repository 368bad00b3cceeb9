import { Text } from "@mantine/core";

import type { Schemas } from "../api/client";
import { Untrusted } from "./Untrusted";
import { texts } from "../texts";
import classes from "./Checks.module.css";

/** A check's name for people; one that the catalogue does not know, as the API names it. */
export function checkName(name: string): string {
  const known: Record<string, string> = texts.checks.names;
  const words = name.replaceAll("_", " ");
  return Object.hasOwn(known, name) ? (known[name] ?? name) : words.charAt(0).toUpperCase() + words.slice(1);
}

/** Every check in its order, with what was found. */
export function Checks({ checks }: { checks: Schemas["CheckMade"][] }) {
  return (
    <ol className={classes["checks"]}>
      {checks.map(({ name, passed, detail }, place) => (
        <li key={`${place} ${name}`}>
          <Text span size="sm" fw={600} c={passed ? "var(--rc-good)" : "var(--rc-bad)"}>
            {passed ? texts.checks.passed : texts.checks.failed}
          </Text>
          <div>
            <Text size="sm" fw={600}>
              {checkName(name)}
            </Text>
            <Text size="sm" component="div">
              <Untrusted text={detail} />
            </Text>
          </div>
        </li>
      ))}
    </ol>
  );
}
