import type { ReactNode } from "react";

import classes from "./Facts.module.css";

/** Named values of one thing, one below the other. */
export function Facts({ facts }: { facts: [label: string, value: ReactNode][] }) {
  return (
    <dl className={classes["facts"]}>
      {facts.map(([label, value]) => (
        <div key={label} className={classes["fact"]}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
