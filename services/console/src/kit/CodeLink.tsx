import { TextLink } from "./links";
import { Untrusted } from "./Untrusted";

/** A code of a refusal or an error, which leads to its page. */
export function CodeLink({ code }: { code: string }) {
  return (
    <TextLink to="/codes/$code" params={{ code }}>
      <Untrusted text={code} mono />
    </TextLink>
  );
}
