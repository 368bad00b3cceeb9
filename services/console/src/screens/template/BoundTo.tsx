import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { caCertificates } from "../../api/lists";
import { usePlace } from "../../api/place";
import { ButtonLink, TextLink } from "../../kit/links";
import { Loaded } from "../../kit/Loaded";
import { Card } from "../../kit/Page";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import classes from "./TemplateScreen.module.css";

/** The CA certificates whose devices go by the template; without one, the next step. */
export function BoundTo({ id }: { id: string }) {
  const place = usePlace();
  const query = useQuery({
    ...caCertificates(place),
    select: (all) => all.filter(({ template_id }) => template_id === id),
  });
  const { instance } = place;
  return (
    <Card title={texts.template.boundTo}>
      <Loaded query={query}>
        {(bound) =>
          bound.length === 0 ? (
            <>
              <Text size="sm" mb="sm">
                {texts.template.boundToNone}
              </Text>
              <ButtonLink
                variant="default"
                size="compact-sm"
                to="/instances/$instance/ca-certificates"
                params={{ instance }}
              >
                {texts.template.toCaCertificates}
              </ButtonLink>
            </>
          ) : (
            <ul className={classes["list"]}>
              {bound.map(({ certificate_id, cn_name, provision_enable }) => (
                <li key={certificate_id}>
                  <TextLink
                    to="/instances/$instance/ca-certificates/$certificate"
                    params={{ instance, certificate: certificate_id }}
                  >
                    <Untrusted text={cn_name} />
                  </TextLink>
                  <Text size="sm" c="var(--rc-muted)">
                    {provision_enable ? texts.template.selfRegistration.on : texts.template.selfRegistration.off}
                  </Text>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  );
}
