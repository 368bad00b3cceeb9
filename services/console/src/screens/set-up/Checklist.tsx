import { UnstyledButton } from "@mantine/core";

import type { Place } from "../../api/place";
import { texts } from "../../texts";
import classes from "./Checklist.module.css";
import { nextStep, type Progress, type Step, STEPS } from "./progress";
import { BindingStep } from "./steps/BindingStep";
import { CertificateStep, ProofStep } from "./steps/CertificateSteps";
import { DebugStep } from "./steps/DebugStep";
import { DeviceStep } from "./steps/DeviceStep";
import { PolicyStep } from "./steps/PolicyStep";
import { ProductStep } from "./steps/ProductStep";
import { SpaceStep } from "./steps/SpaceStep";
import { TemplateStep } from "./steps/TemplateStep";

/** What each step is given. */
export interface StepProps {
  place: Place;
  progress: Progress;
  /** Whether the operator may carry it out. */
  mayChange: boolean;
  /** When it has done what it is for: the next step opens once the log says so. */
  onDone: () => void;
}

const CONTENTS: Record<Step, (props: StepProps) => React.ReactNode> = {
  space: SpaceStep,
  product: ProductStep,
  template: TemplateStep,
  policy: PolicyStep,
  certificate: CertificateStep,
  proof: ProofStep,
  binding: BindingStep,
  debug: DebugStep,
  device: DeviceStep,
};

interface Props extends StepProps {
  open: Step;
  onOpen: (step: Step) => void;
}

/** The steps in their order, one of them open. */
export function Checklist({ open, onOpen, ...props }: Props) {
  const words = texts.setUp;
  const { done } = props.progress;
  const next = nextStep(props.progress);
  return (
    <ol className={classes["steps"]}>
      {STEPS.map((step) => {
        const state = done[step] ? "done" : step === next ? "next" : "open";
        const Content = CONTENTS[step];
        return (
          <li
            key={step}
            className={classes["step"]}
            data-state={state}
            aria-current={step === next ? "step" : undefined}
          >
            <UnstyledButton className={classes["title"]} aria-expanded={step === open} onClick={() => onOpen(step)}>
              <span className={classes["mark"]} aria-hidden>
                {done[step] ? "✓" : ""}
              </span>
              <span className={classes["name"]}>{words.steps[step]}</span>
              <span className={classes["state"]}>{words[state]}</span>
            </UnstyledButton>
            {step === open && (
              <div className={classes["content"]}>
                <Content {...props} />
              </div>
            )}
          </li>
        );
      })}
    </ol>
  );
}
