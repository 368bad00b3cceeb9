import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function LiveScreen() {
  return (
    <Page title={texts.live.title}>
      <Empty text="" />
    </Page>
  );
}
