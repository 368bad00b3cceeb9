import { Burger, Button, Group, Kbd, UnstyledButton } from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { Link, Outlet, useLocation, useParams } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useRef, useState } from "react";

import { useKey } from "../kit/keys";
import { texts } from "../texts";
import { AccountMenu } from "./AccountMenu";
import { InstanceSwitcher } from "./InstanceSwitcher";
import { Navigation } from "./Navigation";
import classes from "./Shell.module.css";
import { Shortcuts } from "./Shortcuts";

const Palette = lazy(() => import("./Palette"));

/** What is round every screen: where one is, who one is, and where one may go. */
export function Shell() {
  const [isOpen, { toggle, close }] = useDisclosure(false);
  const [isHelping, help] = useDisclosure(false);
  const [isGoing, palette] = useDisclosure(false);
  // The palette comes with the first time that it is asked for.
  const [wasAsked, setAsked] = useState(false);
  const ask = () => {
    setAsked(true);
    palette.open();
  };
  const { instance } = useParams({ strict: false });
  const main = useFocusOnArrival();

  // In a field as well: nothing else is meant by it.
  useHotkeys([["mod + K", ask]], []);
  useKey("?", help.open);
  useKey("Escape", close);

  return (
    <div className={classes["shell"]}>
      <a href="#content" className={classes["skip"]}>
        {texts.shell.skip}
      </a>
      <header className={classes["header"]}>
        <Group gap="sm" wrap="nowrap" miw={0}>
          <Burger
            className={classes["burger"] ?? ""}
            opened={isOpen}
            onClick={toggle}
            size="sm"
            aria-label={texts.shell.menu}
            aria-expanded={isOpen}
            aria-controls="navigation"
          />
          <Link to="/" className={classes["brand"]} aria-label={texts.name}>
            <img src="/console/favicon.svg" alt="" width="22" height="22" />
            <span>{texts.name}</span>
          </Link>
          <InstanceSwitcher instance={instance} />
        </Group>
        <Group gap="xs" wrap="nowrap">
          <Button variant="default" size="compact-sm" onClick={ask} aria-keyshortcuts="Meta+K Control+K">
            <span>{texts.shell.palette.open}</span>
            <Kbd size="xs" ml={8} className={classes["wide"] ?? ""} aria-hidden>
              {texts.shell.palette.key}
            </Kbd>
          </Button>
          <UnstyledButton
            className={`${classes["help"]} ${classes["wide"]}`}
            onClick={help.open}
            aria-label={texts.shell.shortcuts.title}
            aria-keyshortcuts="?"
          >
            ?
          </UnstyledButton>
          <AccountMenu />
        </Group>
      </header>
      <nav
        className={classes["nav"]}
        id="navigation"
        data-open={isOpen}
        aria-label={texts.shell.navigation}
        onClick={close}
      >
        <Navigation instance={instance} />
      </nav>
      <main className={classes["main"]} id="content" tabIndex={-1} ref={main}>
        <Outlet />
      </main>
      <Shortcuts opened={isHelping} onClose={help.close} />
      {wasAsked && (
        <Suspense fallback={null}>
          <Palette opened={isGoing} onClose={palette.close} instance={instance} />
        </Suspense>
      )}
    </div>
  );
}

/** Another screen begins at its beginning, for the keyboard too; what the URL says of the same screen moves nothing. */
function useFocusOnArrival() {
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const seen = useRef(pathname);
  useEffect(() => {
    if (seen.current !== pathname) {
      seen.current = pathname;
      main.current?.focus({ preventScroll: true });
    }
  }, [pathname]);
  return main;
}
