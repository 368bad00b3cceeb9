import { Stack, Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { usePlace } from "../../api/place";
import { FileDrop } from "../../kit/FileDrop";
import { Loaded } from "../../kit/Loaded";
import { Card } from "../../kit/Page";
import { texts } from "../../texts";
import type { JsonObject } from "./json";
import { PreviewReport } from "./PreviewReport";
import { preview } from "./queries";

/** How long the body rests before it is asked about, ms. */
const PAUSE = 300;

/** What the body, as it is on the screen, makes of a certificate. The certificate is read by the API and kept nowhere. */
export function TryCertificate({ body }: { body: JsonObject | undefined }) {
  const [certificate, setCertificate] = useState("");
  return (
    <Card title={texts.template.try.title}>
      <Stack gap="md">
        <FileDrop
          label={texts.template.try.label}
          description={texts.template.try.hint}
          value={certificate}
          onChange={setCertificate}
        />
        {certificate.trim() !== "" && (
          <div aria-live="polite">
            {body === undefined ? (
              <Text size="sm">{texts.template.try.broken}</Text>
            ) : (
              <Result body={body} certificate={certificate} />
            )}
          </div>
        )}
      </Stack>
    </Card>
  );
}

function Result({ body, certificate }: { body: JsonObject; certificate: string }) {
  const place = usePlace();
  const [rested] = useDebouncedValue(body, PAUSE);
  const query = useQuery({ ...preview(place, rested, certificate), placeholderData: keepPreviousData });
  return <Loaded query={query}>{(answer) => <PreviewReport answer={answer} />}</Loaded>;
}
