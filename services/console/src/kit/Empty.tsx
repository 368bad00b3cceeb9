import { Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";

/** Nothing is here yet: what it would be, and the next step to it. */
export function Empty({ text, children }: { text: string; children?: ReactNode }) {
  return (
    <Stack align="center" gap="sm" py="xl">
      <Text c="var(--rc-muted)" ta="center" maw="34rem">
        {text}
      </Text>
      {children}
    </Stack>
  );
}
