import { createColumnHelper, tableFeatures } from "@tanstack/react-table";

import { Status } from "../../kit/Status";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { DeviceLink } from "./DeviceLink";
import { Tags } from "./Tags";
import type { DeviceRow } from "./queries";
import type { Filters } from "./search";

/** A row's place in the whole list, and the device if its page is here. */
export interface ListedRow {
  index: number;
  device: DeviceRow | undefined;
}

export const features = tableFeatures({});

const helper = createColumnHelper<typeof features, ListedRow>();
const column = (id: string, header: string, cell: (device: DeviceRow, index: number) => React.ReactNode) =>
  helper.display({
    id,
    header,
    cell: ({ row: { original } }) => original.device !== undefined && cell(original.device, original.index),
  });

const words = texts.devices.columns;

/** What the list says of a device. */
const columns = helper.columns([
  column("device", words.device, (device, index) => <DeviceLink device={device.device_id} index={index} />),
  column("name", words.name, ({ device_name, node_id }) => <Untrusted text={device_name ?? node_id} />),
  column("status", words.status, ({ status }) => <Status status={status} />),
  column("product", words.product, ({ product_name }) => <Untrusted text={product_name} />),
  column("space", words.space, ({ app_name }) => <Untrusted text={app_name} />),
  column("tags", words.tags, ({ tags }) => <Tags tags={tags} />),
  column("certificate", words.certificateEnds, ({ certificate_end }) =>
    typeof certificate_end === "string" ? <Time at={certificate_end} /> : texts.devices.noCertificate,
  ),
  column("refused", words.refused, ({ refused_at }) =>
    typeof refused_at === "string" ? <Time at={refused_at} /> : "–",
  ),
  column("registered", words.registered, ({ create_time }) => <Time at={create_time} />),
]);

const withoutRefused = columns.filter(({ id }) => id !== "refused");

/** When a device was last refused is told only where it is asked for. */
export function columnsOf({ state }: Filters) {
  return state === "refused" ? columns : withoutRefused;
}
