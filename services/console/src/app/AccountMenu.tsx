import { Button, type MantineColorScheme, Menu, useMantineColorScheme } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";

import { signOut, useOperator } from "../api/session";
import { texts } from "../texts";

const SCHEMES: readonly MantineColorScheme[] = ["auto", "light", "dark"];

/** Who is signed in, how they want to see it, and the way out. */
export function AccountMenu() {
  const operator = useOperator();
  const queries = useQueryClient();
  const navigate = useNavigate();
  // A style element would hold transitions back, and the content security policy forbids it.
  const { colorScheme, setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const leave = async () => {
    await signOut();
    await navigate({ to: "/sign-in", search: {} });
    queries.clear();
  };
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <Button variant="subtle" size="compact-sm" aria-label={texts.shell.account(operator.name)}>
          {operator.name}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{texts.shell.role[operator.role]}</Menu.Label>
        <Menu.Item onClick={() => void navigate({ to: "/account" })}>{texts.account.title}</Menu.Item>
        <Menu.Divider />
        <Menu.Label>{texts.shell.scheme.title}</Menu.Label>
        <Menu.RadioGroup value={colorScheme} onChange={(value) => setColorScheme(value as MantineColorScheme)}>
          {SCHEMES.map((scheme) => (
            <Menu.RadioItem key={scheme} value={scheme}>
              {texts.shell.scheme[scheme]}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Divider />
        <Menu.Item onClick={() => void leave()}>{texts.shell.signOut}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
