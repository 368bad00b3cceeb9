import { mayChange, type Operator } from "../api/session";
import { texts } from "../texts";
import { Empty } from "./Empty";
import { Page } from "./Page";

/** A screen that this operator has no use for, opened by its address: why, in a sentence. */
export function MayNot({ title, operator }: { title: string; operator: Operator }) {
  return (
    <Page title={title}>
      <Empty text={mayChange(operator) ? texts.kit.mayNot.limited : texts.kit.mayNot.viewer} />
    </Page>
  );
}
