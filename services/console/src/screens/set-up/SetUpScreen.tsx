import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function SetUpScreen() {
  return (
    <Page title={texts.setUp.title}>
      <Empty text="" />
    </Page>
  );
}
