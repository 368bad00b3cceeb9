import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function CaCertificateScreen() {
  return (
    <Page title={texts.caCertificate.title}>
      <Empty text="" />
    </Page>
  );
}
