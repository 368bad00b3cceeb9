import type { Schemas } from "../../api/client";
import { texts } from "../../texts";

/** From here on a view is old: registrars confirm it every second or so, ms. */
const OLD_MS = 10_000;

export interface Standing {
  tone: "good" | "warn" | "bad";
  text: string;
}

/** Whether what this API process shows of an instance is to be relied upon, in a line. */
export function standing(view: Schemas["LogStatus"] & { agrees?: boolean | null }): Standing {
  const { unready, caught_up, age_ms, agrees } = view;
  const say = texts.instances.view;
  if (unready !== null && unready !== undefined) {
    return { tone: "bad", text: say.unready(unready) };
  }
  if (agrees === false) {
    return { tone: "bad", text: say.disagrees };
  }
  if (!caught_up) {
    return { tone: "warn", text: say.catchingUp };
  }
  if (age_ms === null || age_ms === undefined) {
    return { tone: "warn", text: say.unknown };
  }
  const age = say.age(age_ms);
  return { tone: age_ms >= OLD_MS ? "warn" : "good", text: agrees === true ? `${age} · ${say.agrees}` : age };
}
