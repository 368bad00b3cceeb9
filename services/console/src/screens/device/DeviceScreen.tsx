import { Tabs } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";

import { usePlace } from "../../api/place";
import { Connection } from "../../kit/Connection";
import { useLiveEffect } from "../../kit/live/useLive";
import { Loaded } from "../../kit/Loaded";
import { Page } from "../../kit/Page";
import { visible } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { Actions } from "./actions/Actions";
import { CopyDevice } from "./CopyDevice";
import { Gone } from "./Gone";
import { Commands } from "./downlinks/Commands";
import { Messages } from "./downlinks/Messages";
import { Properties } from "./downlinks/Properties";
import { Overview } from "./overview/Overview";
import { Policies } from "./policies/Policies";
import { type Device, device as deviceQuery, keyOf, type Target } from "./queries";
import { type Tab, TABS } from "./search";
import { Shadow } from "./shadow/Shadow";
import { Timeline } from "./timeline/Timeline";
import { Uplinks } from "./uplinks/Uplinks";

export function DeviceScreen() {
  const place = usePlace();
  const { device } = useParams({ from: "/signed-in/instances/$instance/devices/$device" });
  const target = { ...place, device };
  const query = useQuery(deviceQuery(target));
  const queries = useQueryClient();
  // Its coming and going is on the page at once, and not only when it is asked for next.
  const live = useLiveEffect(place.instance, ["presence"], (heard) => {
    if (heard.kind === "presence" && heard.item.device_id === device) {
      void queries.invalidateQueries({ queryKey: keyOf(target) });
    }
  });
  return (
    <Page
      title={visible(device)}
      actions={
        query.data !== undefined && (
          <>
            <Connection {...live} />
            {query.data !== null && <CopyDevice target={target} device={query.data} />}
            <Actions target={target} device={query.data} />
          </>
        )
      }
    >
      <Loaded query={query}>
        {(found) =>
          found === null ? <Gone target={target} /> : <TabsOf key={device} target={target} device={found} />
        }
      </Loaded>
    </Page>
  );
}

interface Shown {
  target: Target;
  device: Device;
}

function TabsOf(shown: Shown) {
  const { tab = "overview" } = useSearch({ from: "/signed-in/instances/$instance/devices/$device" });
  const navigate = useNavigate({ from: "/instances/$instance/devices/$device" });
  const choose = (value: string | null) => {
    const chosen = TABS.find((known) => known === value);
    void navigate({ search: chosen === undefined || chosen === "overview" ? {} : { tab: chosen } });
  };
  return (
    <Tabs value={tab} onChange={choose} keepMounted={false}>
      <Tabs.List mb="md" aria-label={texts.device.tabsLabel}>
        {TABS.map((known) => (
          <Tabs.Tab key={known} value={known}>
            {texts.device.tabs[known]}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value={tab}>
        <Content tab={tab} {...shown} />
      </Tabs.Panel>
    </Tabs>
  );
}

function Content({ tab, target, device }: Shown & { tab: Tab }) {
  switch (tab) {
    case "overview":
      return <Overview target={target} device={device} />;
    case "timeline":
      return <Timeline target={target} />;
    case "policies":
      return <Policies target={target} />;
    case "uplinks":
      return <Uplinks target={target} />;
    case "messages":
      return <Messages target={target} />;
    case "commands":
      return <Commands target={target} device={device} />;
    case "properties":
      return <Properties target={target} device={device} />;
    case "shadow":
      return <Shadow target={target} />;
  }
}
