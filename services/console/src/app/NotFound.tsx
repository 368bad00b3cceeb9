import { Empty } from "../kit/Empty";
import { ButtonLink } from "../kit/links";
import { texts } from "../texts";

export function NotFound() {
  return (
    <Empty text={texts.notFound.text}>
      <ButtonLink to="/">{texts.notFound.home}</ButtonLink>
    </Empty>
  );
}
