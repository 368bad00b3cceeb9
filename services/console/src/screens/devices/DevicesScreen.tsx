import { Anchor, Button, Text } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { usePlace } from "../../api/place";
import { CopyAs } from "../../kit/CopyAs";
import { Empty } from "../../kit/Empty";
import { ButtonLink } from "../../kit/links";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";
import { type Counted, DevicesTable } from "./DevicesTable";
import { Filters } from "./Filters";
import { listPath } from "./filters";
import { PAGE } from "./ladder";
import { filtersOf, isFiltered } from "./search";
import { ROWS_MAX } from "./usePages";

export function DevicesScreen() {
  const { instance } = usePlace();
  const search = useSearch({ from: "/signed-in/instances/$instance/devices" });
  const navigate = useNavigate({ from: "/instances/$instance/devices" });
  const filters = filtersOf(search);
  const key = JSON.stringify([instance, filters]);
  const [counted, setCounted] = useState<Counted>();
  const { count, isLowerBound = false } = counted?.name === key ? counted : {};
  return (
    <Page
      title={texts.devices.title}
      actions={
        <>
          <Text size="sm" c="var(--rc-muted)" aria-live="polite">
            {count !== undefined && (isLowerBound ? texts.devices.more(count - PAGE) : texts.devices.count(count))}
            {count !== undefined && count > ROWS_MAX && ` ${texts.devices.onlyFirst(ROWS_MAX)}`}
          </Text>
          <Anchor href={listPath(instance, filters, new Date(), "/csv")} download size="sm">
            {texts.devices.csv}
          </Anchor>
          <CopyAs of={{ request: { method: "GET", path: listPath(instance, filters, new Date()) } }} />
        </>
      }
    >
      <Filters search={search} />
      {count === 0 && !isFiltered(search) && (
        <Empty text={texts.devices.none}>
          <ButtonLink to="/instances/$instance/set-up" params={{ instance }}>
            {texts.devices.setUp}
          </ButtonLink>
        </Empty>
      )}
      {count === 0 && isFiltered(search) && (
        <Empty text={texts.devices.noneFit}>
          <Button variant="light" onClick={() => void navigate({ search: {} })}>
            {texts.devices.showAll}
          </Button>
        </Empty>
      )}
      <div hidden={count === 0}>
        <DevicesTable
          key={key}
          instance={instance}
          filters={filters}
          row={search.row ?? 0}
          onCount={setCounted}
          name={key}
        />
      </div>
      <Text size="xs" c="var(--rc-muted)" mt="xs">
        {texts.devices.keys}
      </Text>
    </Page>
  );
}
