import type { Schemas } from "../../api/client";
import { Untrusted } from "../../kit/Untrusted";

/** Tags in a line. */
export function Tags({ tags }: { tags: Schemas["TagShown"][] }) {
  return <Untrusted text={tags.map(({ tag_key, tag_value }) => `${tag_key}=${tag_value}`).join(", ")} />;
}
