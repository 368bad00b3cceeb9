import { Combobox, Modal, TextInput, useCombobox } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useEffect, useState } from "react";

import { grouped } from "../kit/grouped";
import { Status } from "../kit/Status";
import { Untrusted } from "../kit/Untrusted";
import { instances } from "../screens/instances/queries";
import { texts } from "../texts";
import { devicesBeginning, matching } from "./paletteSearch";
import { sameScreen, sections } from "./sections";
import classes from "./Shell.module.css";

/** How long somebody may pause between two letters before the API is asked, ms. */
const PAUSE = 200;
/** Instances that are offered at once; typing finds the others. */
const INSTANCES_MAX = 8;

/** The screen that is of no instance. */
const ALL = { to: "/", label: texts.instances.title } as const;

interface Entry {
  id: string;
  group: string;
  label: ReactNode;
  side?: ReactNode;
  go: () => void;
}

interface PaletteProps {
  opened: boolean;
  onClose: () => void;
  instance: string | undefined;
}

/**
 * One field for where to go: a screen, an instance, or a device by the beginning of its id. Mantine's Spotlight does not tell a screen
 * reader which entry is chosen, and so its Combobox does it here.
 */
export default function Palette({ opened, onClose, instance }: PaletteProps) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={texts.shell.palette.open}
      closeButtonProps={{ "aria-label": texts.kit.close }}
      size="lg"
      yOffset="10vh"
      transitionProps={{ duration: 0 }}
    >
      {opened && <Search onClose={onClose} instance={instance} />}
    </Modal>
  );
}

function Search({ onClose, instance }: Omit<PaletteProps, "opened">) {
  const [text, setText] = useState("");
  // The list has its id only after it was made, and the field names it from the next time on that it is made.
  const [, setFocused] = useState(false);
  const query = text.trim();
  const entries = useEntries(query, instance);
  const groups = grouped(entries, ({ group }) => group);
  // The list is there as long as the dialog is: what would close the one closes the other.
  const combobox = useCombobox({ opened: true, onOpenedChange: (isOpen) => !isOpen && onClose() });
  const { selectFirstOption } = combobox;
  useEffect(() => {
    selectFirstOption();
  }, [query, selectFirstOption]);
  const go = (id: string) => {
    onClose();
    entries.find((entry) => entry.id === id)?.go();
  };
  const hint = instance === undefined ? texts.shell.palette.hint : texts.shell.palette.hintDevices(instance);
  return (
    <Combobox store={combobox} onOptionSubmit={go}>
      <Combobox.EventsTarget withExpandedAttribute>
        <TextInput
          data-autofocus
          aria-label={hint}
          placeholder={hint}
          value={text}
          onFocus={() => setFocused(true)}
          onChange={(event) => setText(event.currentTarget.value)}
          autoComplete="off"
          spellCheck={false}
        />
      </Combobox.EventsTarget>
      <Combobox.Options className={classes["palette"] ?? ""} aria-label={texts.shell.palette.open}>
        {groups.map(([group, list]) => (
          <Combobox.Group key={group} label={group}>
            {list.map(({ id, label, side }) => (
              <Combobox.Option key={id} value={id} className={classes["entry"] ?? ""}>
                <span>{label}</span>
                <span className={classes["side"]}>{side}</span>
              </Combobox.Option>
            ))}
          </Combobox.Group>
        ))}
        {entries.length === 0 && <Combobox.Empty>{texts.shell.palette.nothing}</Combobox.Empty>}
      </Combobox.Options>
    </Combobox>
  );
}

/** Screens first, devices last, so that what comes late moves nothing. */
function useEntries(query: string, instance: string | undefined): Entry[] {
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const known = useQuery({ ...instances, refetchInterval: false });
  const [prefix] = useDebouncedValue(query, PAUSE);
  const found = useQuery({
    ...devicesBeginning(instance ?? "", prefix),
    enabled: instance !== undefined && prefix.length >= 2,
    placeholderData: keepPreviousData,
  });
  const { screens, instances: others, devices } = texts.shell.palette;

  const entries: Entry[] = [];
  const here = instance === undefined ? [] : sections.flatMap(({ screens }) => [...screens]);
  for (const { to, label } of matching(query, [...here, ALL], ({ label }) => label)) {
    const go = () => void (instance === undefined ? navigate({ to: "/" }) : navigate({ to, params: { instance } }));
    entries.push({ id: to, group: screens, label, go });
  }
  const elsewhere = known.data?.instances.filter(({ id }) => id !== instance) ?? [];
  const named = matching(query, elsewhere, ({ id, region }) => `${id} ${region}`);
  for (const { id, region } of named.slice(0, INSTANCES_MAX)) {
    const go = () => void navigate({ to: sameScreen(pathname), params: { instance: id } });
    entries.push({ id: `instance-${id}`, group: others, label: id, side: region, go });
  }
  if (instance !== undefined && query.length >= 2) {
    for (const { device_id, status } of found.data ?? []) {
      const go = () =>
        void navigate({ to: "/instances/$instance/devices/$device", params: { instance, device: device_id } });
      const label = <Untrusted text={device_id} />;
      entries.push({ id: `device-${device_id}`, group: devices, label, side: <Status status={status} />, go });
    }
  }
  return entries;
}
