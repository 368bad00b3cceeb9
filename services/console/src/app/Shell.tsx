import { Burger, Button, Group, Menu, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useParams } from "@tanstack/react-router";

import { signOut, useOperator } from "../api/session";
import { texts } from "../texts";
import { Navigation } from "./Navigation";
import classes from "./Shell.module.css";

/** What is round every screen: where one is, who one is, and where one may go. */
export function Shell() {
  const [isOpen, { toggle, close }] = useDisclosure(false);
  const { instance } = useParams({ strict: false });
  return (
    <div className={classes["shell"]}>
      <a href="#content" className={classes["skip"]}>
        {texts.shell.skip}
      </a>
      <header className={classes["header"]}>
        <Group gap="sm" wrap="nowrap">
          <Burger
            className={classes["burger"] ?? ""}
            opened={isOpen}
            onClick={toggle}
            size="sm"
            aria-label={texts.shell.menu}
          />
          <Link to="/" className={classes["brand"]}>
            {texts.name}
          </Link>
          {instance !== undefined && <Text fw={600}>{instance}</Text>}
        </Group>
        <Account />
      </header>
      <nav className={classes["nav"]} data-open={isOpen} aria-label={texts.shell.navigation} onClick={close}>
        <Navigation instance={instance} />
      </nav>
      <main className={classes["main"]} id="content" tabIndex={-1}>
        <Outlet />
      </main>
    </div>
  );
}

function Account() {
  const operator = useOperator();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const leave = async () => {
    await signOut();
    await navigate({ to: "/sign-in", search: {} });
    queries.clear();
  };
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <Button variant="subtle" size="compact-md">
          {operator.name}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{texts.shell.role[operator.role]}</Menu.Label>
        <Menu.Item onClick={() => void navigate({ to: "/account" })}>{texts.shell.account}</Menu.Item>
        <Menu.Item onClick={() => void leave()}>{texts.shell.signOut}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
