import { Kbd, Modal } from "@mantine/core";

import { texts } from "../texts";
import classes from "./Shell.module.css";

/** What the keyboard does, on every screen. */
export function Shortcuts({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={texts.shell.shortcuts.title}
      closeButtonProps={{ "aria-label": texts.kit.close }}
    >
      <table className={classes["keys"]}>
        <thead>
          <tr>
            <th scope="col">{texts.shell.shortcuts.key}</th>
            <th scope="col">{texts.shell.shortcuts.does}</th>
          </tr>
        </thead>
        <tbody>
          {texts.shell.shortcuts.list.map(([keys, does]) => (
            <tr key={does}>
              <td>
                {keys.map((key) => (
                  <Kbd key={key} mr={4}>
                    {key}
                  </Kbd>
                ))}
              </td>
              <td>{does}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Modal>
  );
}
