import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function TemplatesScreen() {
  return (
    <Page title={texts.templates.title}>
      <Empty text="" />
    </Page>
  );
}
