import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function DevicesScreen() {
  return (
    <Page title={texts.devices.title}>
      <Empty text="" />
    </Page>
  );
}
