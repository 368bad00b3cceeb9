import { Table } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import type { Schemas } from "../api/client";
import { policies, products, spaces } from "../api/lists";
import { usePlace } from "../api/place";
import { texts } from "../texts";
import { Untrusted } from "./Untrusted";

const t = texts.wouldBe;

/** A device as a certificate makes it: every field, tag and policy, by name where the id has one. */
export function WouldBe({ device, caption }: { device: Schemas["WouldBe"]; caption: string }) {
  const place = usePlace();
  const { data: made } = useQuery(products(place));
  const { data: named } = useQuery(spaces(place));
  const { data: bound } = useQuery(policies(place));
  const product = made?.find(({ product_id }) => product_id === device.product_id)?.name;
  const space = named?.find(({ app_id }) => app_id === device.app_id)?.app_name;
  const policyName = (id: string) => bound?.find(({ policy_id }) => policy_id === id)?.policy_name ?? id;
  return (
    <Facts head={[t.field, t.value]} caption={caption}>
      <Fact name={t.deviceId}>
        <Untrusted text={device.device_id} mono />
      </Fact>
      <Fact name={t.nodeId}>
        <Untrusted text={device.node_id} mono />
      </Fact>
      <Fact name={t.deviceName}>
        <Untrusted text={device.device_name ?? t.none} />
      </Fact>
      <Fact name={t.product}>
        <Untrusted text={product === undefined ? device.product_id : `${product} (${device.product_id})`} />
      </Fact>
      <Fact name={t.space}>
        <Untrusted text={space ?? device.app_id} />
      </Fact>
      {device.tags.map(({ tag_key, tag_value }) => (
        <Fact key={tag_key} name={<Untrusted text={t.tag(tag_key)} />}>
          <Untrusted text={tag_value} />
        </Fact>
      ))}
      <Fact name={t.policies}>
        <Untrusted text={device.policy_ids.map(policyName).join(", ") || t.noPolicies} />
      </Fact>
    </Facts>
  );
}

/** A table of names and values, for who hears it as well. */
export function Facts({ head, caption, children }: { head: [string, string]; caption: string; children: ReactNode }) {
  return (
    <Table verticalSpacing={4} layout="fixed" aria-label={caption}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th w="40%">{head[0]}</Table.Th>
          <Table.Th>{head[1]}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>{children}</Table.Tbody>
    </Table>
  );
}

export function Fact({ name, children }: { name: ReactNode; children: ReactNode }) {
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={400}>
        {name}
      </Table.Th>
      <Table.Td>{children}</Table.Td>
    </Table.Tr>
  );
}
