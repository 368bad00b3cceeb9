import { Button, Checkbox, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { type CaCertificate, nameOfCa } from "../../api/lists";
import type { Place } from "../../api/place";
import { ConfirmDialog } from "../../kit/ConfirmDialog";
import { Loaded } from "../../kit/Loaded";
import { texts } from "../../texts";
import { type Deleted, impact, remove } from "../ca-certificates/queries";

/** Deletes a CA certificate, after saying what stops working. */
export function DeleteCa({ place, certificate }: { place: Place; certificate: CaCertificate }) {
  const words = texts.caCertificate.remove;
  const [isOpen, setOpen] = useState(false);
  const [chosen, setChosen] = useState<boolean>();
  const query = useQuery({ ...impact(place, certificate.certificate_id), enabled: isOpen });
  const distrust = chosen ?? query.data?.would_be_distrusted ?? true;
  const queries = useQueryClient();
  const navigate = useNavigate();
  const deleted = async ({ distrusted, stillVouching }: Deleted) => {
    const said = distrusted ? words.doneDistrusted : words.done;
    const vouching = stillVouching.length === 0 ? "" : ` ${words.stillVouching(stillVouching.join(", "))}`;
    notifications.show({ message: said + vouching, autoClose: 15_000 });
    await navigate({ to: "/instances/$instance/ca-certificates", params: { instance: place.instance } });
    await queries.invalidateQueries({ queryKey: ["ca-certificates", place.instance] });
  };
  return (
    <>
      <Button color="red" variant="light" onClick={() => setOpen(true)}>
        {words.open}
      </Button>
      <ConfirmDialog
        opened={isOpen}
        onClose={() => setOpen(false)}
        title={words.title}
        consequence={
          <Loaded query={query}>
            {({ devices, online, complete, devices_through_it: through, still_vouching: vouching }) => (
              <Stack gap="xs">
                <Text size="sm">
                  {words.stops(devices, online)} {!complete && texts.caCertificate.trusted.atLeast}
                </Text>
                {through > 0 && <Text size="sm">{words.through(through)}</Text>}
                {vouching.length > 0 && !distrust && <Text size="sm">{words.vouching(vouching.join(", "))}</Text>}
              </Stack>
            )}
          </Loaded>
        }
        action={words.submit}
        typed={nameOfCa(certificate)}
        isDestructive
        onConfirm={async () => deleted(await remove(place, certificate.certificate_id, distrust))}
      >
        <Checkbox
          label={words.distrust}
          description={words.distrustHint}
          checked={distrust}
          onChange={(event) => setChosen(event.currentTarget.checked)}
        />
      </ConfirmDialog>
    </>
  );
}
