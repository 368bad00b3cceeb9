import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function PolicyScreen() {
  return (
    <Page title={texts.policy.title}>
      <Empty text="" />
    </Page>
  );
}
