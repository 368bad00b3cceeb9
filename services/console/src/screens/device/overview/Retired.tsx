import { Button, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { client } from "../../../api/client";
import { mayChange, useOperator } from "../../../api/session";
import { ConfirmDialog } from "../../../kit/ConfirmDialog";
import { Facts } from "../../../kit/Facts";
import { Card } from "../../../kit/Page";
import { Time } from "../../../kit/Time";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import { keyOf, retiredCertificates, type Target } from "../queries";

const words = texts.device.retired;

/** The certificates that were taken away from the device, which stay out until they are readmitted; nothing if there is none. */
export function Retired({ target }: { target: Target }) {
  const { data = [] } = useQuery(retiredCertificates(target));
  const [chosen, setChosen] = useState<string>();
  const queries = useQueryClient();
  const may = mayChange(useOperator());
  const readmit = async (fingerprint: string) => {
    const path = { instance_id: target.instance, fingerprint };
    await client.POST("/rollcall/v1/instances/{instance_id}/retired-certificates/{fingerprint}/readmit", {
      params: { path },
      body: { device_id: target.device },
    });
    await queries.invalidateQueries({ queryKey: keyOf(target) });
  };
  const reasons: Record<string, string> = words.reasons;
  return (
    data.length > 0 && (
      <Card title={words.title}>
        {data.map(({ fingerprint, reason, retired_time, expiry_date, readmitted_for }) => (
          <div key={fingerprint}>
            <Facts
              facts={[
                [texts.device.certificates.sha256, <Untrusted key="f" text={fingerprint} mono />],
                [
                  words.retired,
                  <span key="r">
                    <Time at={retired_time} dated />: {reasons[reason] ?? reason}
                  </span>,
                ],
                [
                  texts.device.certificates.until,
                  typeof expiry_date === "string" ? <Time key="u" at={expiry_date} dated /> : words.unknownEnd,
                ],
              ]}
            />
            {typeof readmitted_for === "string" ? (
              <Text size="sm" mt={6}>
                {words.readmittedFor} <Untrusted text={readmitted_for} />
              </Text>
            ) : (
              may && (
                <Button size="compact-sm" variant="default" mt={6} mb={6} onClick={() => setChosen(fingerprint)}>
                  {words.readmit}
                </Button>
              )
            )}
          </div>
        ))}
        <ConfirmDialog
          opened={chosen !== undefined}
          onClose={() => setChosen(undefined)}
          title={words.question}
          consequence={<Text size="sm">{words.consequence(target.device)}</Text>}
          action={words.readmit}
          onConfirm={() => readmit(chosen ?? "")}
        />
      </Card>
    )
  );
}
