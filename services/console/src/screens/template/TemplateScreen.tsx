import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function TemplateScreen() {
  return (
    <Page title={texts.template.title}>
      <Empty text="" />
    </Page>
  );
}
