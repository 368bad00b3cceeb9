import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function SpaceScreen() {
  return (
    <Page title={texts.space.title}>
      <Empty text="" />
    </Page>
  );
}
