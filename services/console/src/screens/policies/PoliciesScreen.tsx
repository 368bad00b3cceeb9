import { Empty } from "../../kit/Empty";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";

export function PoliciesScreen() {
  return (
    <Page title={texts.policies.title}>
      <Empty text="" />
    </Page>
  );
}
