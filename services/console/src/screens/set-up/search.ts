import { type Step, STEPS } from "./progress";

/** What the URL of this screen carries. */
export interface SetUpSearch {
  /** The resource space that is set up; the default one when absent. */
  space?: string | undefined;
  /** The step that is open; the next one when absent. */
  step?: Step | undefined;
  /** The device that the debugged certificate becomes. */
  device?: string | undefined;
}

const isStep = (text: unknown): text is Step => (STEPS as readonly unknown[]).includes(text);

export function setUpSearch({ space, step, device }: Record<string, unknown>): SetUpSearch {
  return {
    ...(typeof space === "string" ? { space } : {}),
    ...(isStep(step) ? { step } : {}),
    ...(typeof device === "string" ? { device } : {}),
  };
}
