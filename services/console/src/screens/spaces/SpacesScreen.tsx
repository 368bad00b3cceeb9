import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function SpacesScreen() {
  return (
    <Page title={texts.spaces.title}>
      <Empty text="" />
    </Page>
  );
}
