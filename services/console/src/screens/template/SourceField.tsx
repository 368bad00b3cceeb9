import { NativeSelect, TextInput } from "@mantine/core";

import { texts } from "../../texts";
import { PARAMETERS, type Source } from "./form";
import classes from "./TemplateScreen.module.css";

const NOWHERE = "nowhere";
const TEXT = "text";

interface SourceFieldProps {
  label: string;
  source: Source;
  onChange: (source: Source) => void;
  /** Whether it may be a text that is the same for every device. */
  mayBeText?: boolean;
  isRequired?: boolean;
  description?: string;
}

/** A value of the device: an attribute of the certificate, or a text. */
export function SourceField({ label, source, onChange, mayBeText, isRequired, description }: SourceFieldProps) {
  const known: readonly string[] = PARAMETERS;
  const stray = source.from === "certificate" && !known.includes(source.parameter) ? [source.parameter] : [];
  const mayBeNothing = isRequired !== true || source.from === "nowhere";
  const nothing = isRequired === true ? texts.template.fromNowhereYet : texts.template.fromNowhere;
  const options = [
    ...(mayBeText === true ? [{ value: TEXT, label: texts.template.fromText }] : []),
    ...(mayBeNothing ? [{ value: NOWHERE, label: nothing }] : []),
    ...[...PARAMETERS, ...stray].map((name) => ({ value: name, label: texts.template.fromCertificate(name) })),
  ];
  const choose = (value: string) => {
    if (value === NOWHERE) {
      onChange({ from: "nowhere" });
    } else if (value === TEXT) {
      onChange({ from: "text", text: "" });
    } else {
      onChange({ from: "certificate", parameter: value });
    }
  };
  return (
    <div className={classes["source"]}>
      <NativeSelect
        label={label}
        description={description}
        required={isRequired ?? false}
        data={options}
        value={source.from === "certificate" ? source.parameter : source.from === "text" ? TEXT : NOWHERE}
        onChange={(event) => choose(event.currentTarget.value)}
      />
      {source.from === "text" && (
        <TextInput
          label={texts.template.textOf(label)}
          value={source.text}
          onChange={(event) => onChange({ from: "text", text: event.currentTarget.value })}
          autoComplete="off"
          spellCheck={false}
        />
      )}
    </div>
  );
}
