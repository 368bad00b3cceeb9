import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useLocation, useNavigate } from "@tanstack/react-router";

import { instances } from "../screens/instances/queries";
import { texts } from "../texts";
import { sameScreen } from "./sections";
import classes from "./Shell.module.css";

/** More are found by typing. */
const SHOWN_MAX = 50;

/** Which instance is shown; another is shown on the same screen. */
export function InstanceSwitcher({ instance }: { instance: string | undefined }) {
  const { data } = useQuery({ ...instances, refetchInterval: 60_000 });
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const known = data?.instances.map(({ id }) => id) ?? [];
  const go = (to: string | null) => {
    if (to !== null && to !== instance) {
      void navigate({ to: sameScreen(pathname), params: { instance: to } });
    }
  };
  return (
    <Select
      className={classes["switcher"] ?? ""}
      size="xs"
      aria-label={texts.shell.instance}
      placeholder={texts.shell.chooseInstance}
      // One that the list does not have, yet or any more, is named all the same.
      data={instance === undefined || known.includes(instance) ? known : [instance, ...known]}
      value={instance ?? null}
      onChange={go}
      searchable
      limit={SHOWN_MAX}
      allowDeselect={false}
      nothingFoundMessage={texts.shell.noInstance}
      selectFirstOptionOnChange
    />
  );
}
