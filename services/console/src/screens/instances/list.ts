import { grouped } from "../../kit/grouped";
import { texts } from "../../texts";
import type { Instance } from "./queries";
import type { InstancesSearch, InstancesSort } from "./search";

/** Those that hold every word that is looked for. */
export function found(list: Instance[], q = ""): Instance[] {
  const words = q.toLowerCase().split(/\s+/);
  return list.filter(({ id, region, access_domain }) => {
    const text = `${id} ${region} ${access_domain}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

const byName = new Intl.Collator(texts.locale, { numeric: true }).compare;

function compare(by: InstancesSort, a: Instance, b: Instance): number {
  switch (by) {
    case "name":
      return byName(a.id, b.id);
    case "devices":
      return (b.status?.devices ?? -1) - (a.status?.devices ?? -1) || byName(a.id, b.id);
    case "online":
      return (b.status?.online ?? -1) - (a.status?.online ?? -1) || byName(a.id, b.id);
  }
}

/** What is shown, region by region. */
export function byRegion(list: Instance[], { q, sort = "name" }: InstancesSearch = {}): [string, Instance[]][] {
  const sorted = found(list, q).sort((a, b) => compare(sort, a, b));
  return grouped(sorted, ({ region }) => region).sort(([a], [b]) => byName(a, b));
}
