import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function AttemptsScreen() {
  return (
    <Page title={texts.attempts.title}>
      <Empty text="" />
    </Page>
  );
}
