import { queryOptions } from "@tanstack/react-query";

import { body, client, type Schemas } from "../../api/client";
import { deviceListQuery } from "./filters";
import type { Ladder } from "./ladder";
import type { Filters } from "./search";

export type DeviceRow = Schemas["DeviceStanding"];

const REFETCH_MS = 5_000;
/** A page that scrolled out of sight is forgotten after this, so that scrolling through a fleet keeps none of it. */
const FORGOTTEN_MS = 5_000;

/** One page of the devices that the filters choose, newest first. */
export const devicePage = (instance: string, filters: Filters, ladder: Ladder, page: number) =>
  queryOptions({
    queryKey: ["devices", instance, filters, page],
    queryFn: ({ signal }) =>
      ladder.read<DeviceRow>(page, async ({ marker, offset, limit }) => {
        const query = {
          ...deviceListQuery(filters, new Date()),
          offset,
          limit,
          ...(marker !== undefined && { marker }),
        };
        const params = { path: { instance_id: instance }, query };
        const answer = await body(client.GET("/rollcall/v1/instances/{instance_id}/device-list", { params, signal }));
        const { page: at, count_is_lower_bound: isLowerBound } = answer;
        return {
          rows: answer.devices,
          count: at.count,
          isLowerBound,
          marker: at.marker ?? undefined,
        };
      }),
    refetchInterval: REFETCH_MS,
    gcTime: FORGOTTEN_MS,
  });
