import { Button, Stack } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { usePlace } from "../../api/place";
import { Connection } from "../../kit/Connection";
import { CopyAs } from "../../kit/CopyAs";
import { DataTable } from "../../kit/DataTable";
import { Empty } from "../../kit/Empty";
import { ButtonLink } from "../../kit/links";
import { LIVE_KINDS } from "../../kit/live/stream";
import { type LiveItem, useLive } from "../../kit/live/useLive";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";
import { columns } from "./columns";
import { describe, holds, type Row } from "./describe";
import { Filters } from "./Filters";
import { kindsOf, type LiveSearch } from "./search";

const rowId = ({ key }: Row) => key;

/** What happens in an instance, as it happens. */
export function LiveScreen() {
  const { instance } = usePlace();
  const search = useSearch({ from: "/signed-in/instances/$instance/live" });
  const navigate = useNavigate({ from: "/instances/$instance/live" });
  const [isPaused, setPaused] = useState(false);
  const { q = "" } = search;
  const kinds = kindsOf(search);
  const wants = (item: LiveItem) => kinds.includes(item.kind === "gap" ? item.item.kind : item.kind) && holds(item, q);
  // All are listened to: what another filter shows is kept for as long as this one is not narrower.
  const live = useLive(instance, LIVE_KINDS, { isPaused, wants });
  const rows = live.items.filter(wants).map(describe);
  const defined = useMemo(() => columns(instance), [instance]);

  const change = (next: LiveSearch) => void navigate({ search: next, replace: true });
  const open = ({ subject, attempt }: Row) => {
    if (attempt !== undefined) {
      void navigate({ to: "/instances/$instance/debug", params: { instance }, search: { attempt } });
    } else if (subject?.kind === "device") {
      void navigate({ to: "/instances/$instance/devices/$device", params: { instance, device: subject.id } });
    }
  };
  const stream = { request: { method: "GET", path: `/rollcall/v1/instances/${instance}/stream` } } as const;
  return (
    <Page
      title={texts.live.title}
      actions={
        <>
          <Connection {...live} />
          <Button variant="default" onClick={() => setPaused(!isPaused)} aria-pressed={isPaused}>
            {isPaused ? texts.live.goOn(live.waiting) : texts.live.pause}
          </Button>
          <Button variant="default" onClick={live.clear} disabled={live.items.length === 0}>
            {texts.live.clear}
          </Button>
          <CopyAs of={stream} />
        </>
      }
    >
      <Stack gap="sm">
        <Filters search={search} heard={live.heard ?? LIVE_KINDS} onChange={change} />
        {rows.length === 0 ? (
          <Empty text={q !== "" || search.kinds !== undefined ? texts.live.noneMatch : texts.live.none}>
            <ButtonLink to="/instances/$instance/attempts" params={{ instance }} variant="light" size="compact-sm">
              {texts.live.earlier}
            </ButtonLink>
          </Empty>
        ) : (
          <DataTable
            label={texts.live.title}
            columns={defined}
            rows={rows}
            rowId={rowId}
            onOpen={open}
            height="max(20rem, calc(100vh - 12rem))"
          />
        )}
      </Stack>
    </Page>
  );
}
