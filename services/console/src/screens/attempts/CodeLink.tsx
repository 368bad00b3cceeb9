import { Untrusted } from "../../kit/Untrusted";

/** A code. */
export function CodeLink({ code }: { code: string }) {
  return <Untrusted text={code} mono />;
}
