import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function ProductsScreen() {
  return (
    <Page title={texts.products.title}>
      <Empty text="" />
    </Page>
  );
}
