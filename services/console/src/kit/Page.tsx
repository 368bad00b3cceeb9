import { Group, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";

import { texts } from "../texts";
import { visible } from "./Untrusted";
import classes from "./Page.module.css";

/** A screen: its title, what can be done on it, and its content. A title names what others wrote, as a text that hides nothing. */
export function Page({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  const shown = visible(title);
  useEffect(() => {
    document.title = `${shown} · ${texts.name}`;
  }, [shown]);
  return (
    <div className={classes["page"]}>
      <Group justify="space-between" mb="md">
        <Title order={1} size="h3" className={classes["title"] ?? ""}>
          {shown}
        </Title>
        <Group gap="xs">{actions}</Group>
      </Group>
      {children}
    </div>
  );
}

/** A bordered part of a screen. */
export function Card({ title, actions, children }: { title?: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className={classes["card"]} aria-label={title}>
      {title !== undefined && (
        <Group justify="space-between" mb="sm">
          <Title order={2} size="h5">
            {title}
          </Title>
          <Group gap="xs">{actions}</Group>
        </Group>
      )}
      {children}
    </section>
  );
}
