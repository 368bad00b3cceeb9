import { Empty } from "../../kit/Empty";
import { Card } from "../../kit/Page";
import { ButtonLink } from "../../kit/links";
import { texts } from "../../texts";
import { Retired } from "./overview/Retired";
import type { Target } from "./queries";
import { Timeline } from "./timeline/Timeline";

/** There is no such device now. If there was one, its history says what became of it, and it can be let back in. */
export function Gone({ target }: { target: Target }) {
  return (
    <div>
      <Card>
        <Empty text={texts.device.gone}>
          <ButtonLink variant="default" to="/instances/$instance/devices" params={{ instance: target.instance }}>
            {texts.device.toList}
          </ButtonLink>
        </Empty>
      </Card>
      <Retired target={target} />
      <Timeline target={target} />
    </div>
  );
}
