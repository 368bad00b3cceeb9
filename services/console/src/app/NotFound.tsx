import { Empty } from "../kit/Empty";
import { ButtonLink } from "../kit/links";
import { Page } from "../kit/Page";
import { texts } from "../texts";

export function NotFound() {
  return (
    <main>
      <Page title={texts.notFound.title}>
        <Empty text={texts.notFound.text}>
          <ButtonLink to="/">{texts.notFound.home}</ButtonLink>
        </Empty>
      </Page>
    </main>
  );
}
