import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function ProductScreen() {
  return (
    <Page title={texts.product.title}>
      <Empty text="" />
    </Page>
  );
}
