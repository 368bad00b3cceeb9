import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function DebugScreen() {
  return (
    <Page title={texts.debug.title}>
      <Empty text="" />
    </Page>
  );
}
