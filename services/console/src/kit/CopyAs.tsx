import { Button, Menu, Modal, Textarea } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState } from "react";

import { texts } from "../texts";
import { asCurl } from "./copy/curl";
import type { Described } from "./copy/described";
import { asPython } from "./copy/python";
import { asYaml } from "./copy/yaml";

export type { Described } from "./copy/described";

interface Form {
  label: string;
  text: string;
}

/** The forms that the thing has: the SDK and the fleet file do not know every one. */
export function forms({ request, fleet }: Described): Form[] {
  const python = asPython(request);
  return [
    { label: texts.kit.copy.curl, text: asCurl(request) },
    ...(python === undefined ? [] : [{ label: texts.kit.copy.python, text: python }]),
    ...(fleet === undefined ? [] : [{ label: texts.kit.copy.fleet, text: asYaml(fleet) }]),
  ];
}

/** A menu that copies what the screen shows or is about to make, as it is said outside the console. */
export function CopyAs({ of, label = texts.kit.copy.as }: { of: Described; label?: string }) {
  // Shown where the browser does not let the page copy, for which one must ask by hand.
  const [refused, setRefused] = useState<Form>();
  const copy = async (form: Form) => {
    try {
      await navigator.clipboard.writeText(form.text);
      notifications.show({ message: texts.kit.copy.copied(form.label), autoClose: 2_500 });
    } catch {
      setRefused(form);
    }
  };
  return (
    <>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <Button variant="default">{label}</Button>
        </Menu.Target>
        <Menu.Dropdown>
          {forms(of).map((form) => (
            <Menu.Item key={form.label} onClick={() => void copy(form)}>
              {form.label}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <Modal
        opened={refused !== undefined}
        onClose={() => setRefused(undefined)}
        title={texts.kit.copy.byHand}
        closeButtonProps={{ "aria-label": texts.kit.close }}
        size="lg"
      >
        <Textarea
          readOnly
          autosize
          maxRows={24}
          aria-label={refused?.label ?? ""}
          classNames={{ input: "mono" }}
          value={refused?.text ?? ""}
          onFocus={(event) => event.currentTarget.select()}
          data-autofocus
        />
      </Modal>
    </>
  );
}
