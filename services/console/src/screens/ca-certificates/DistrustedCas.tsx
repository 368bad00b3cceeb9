import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { Place } from "../../api/place";
import { Facts } from "../../kit/Facts";
import { Card } from "../../kit/Page";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { distrustedCas } from "./queries";

/** CAs that were deleted with distrust; nothing where there is none. */
export function DistrustedCas({ place }: { place: Place }) {
  const words = texts.caCertificates.distrusted;
  const { data } = useQuery(distrustedCas(place));
  if (data === undefined || data.distrusted_cas.length === 0) {
    return null;
  }
  return (
    <Card title={words.title}>
      <Text size="sm" mb="sm">
        {words.explain}
      </Text>
      {data.distrusted_cas.map(({ name_and_key_sha256, cn_name, app_id, since }) => (
        <Facts
          key={name_and_key_sha256 + app_id}
          facts={[
            [texts.caCertificates.columns.name, <Untrusted key="name" text={cn_name} />],
            [texts.caCertificates.columns.space, <Untrusted key="space" text={app_id} />],
            [words.since, <Time key="since" at={since} dated />],
            [words.nameAndKey, <Untrusted key="key" text={name_and_key_sha256} mono />],
          ]}
        />
      ))}
    </Card>
  );
}
