import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function DeviceScreen() {
  return (
    <Page title={texts.device.title}>
      <Empty text="" />
    </Page>
  );
}
