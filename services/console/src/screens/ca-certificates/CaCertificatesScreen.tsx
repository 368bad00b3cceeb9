import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function CaCertificatesScreen() {
  return (
    <Page title={texts.caCertificates.title}>
      <Empty text="" />
    </Page>
  );
}
