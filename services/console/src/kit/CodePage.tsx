import { useQuery } from "@tanstack/react-query";

import { codePage } from "../api/codes";
import { TextLink } from "./links";
import { Loaded } from "./Loaded";
import { Markdown } from "./Markdown";

/** The code that a link of a page leads to; none where it leads out of docs/operate/codes. */
export function codeOf(href: string): string | undefined {
  const code = /^([\w.-]+)\.md(?:#.*)?$/.exec(href)?.[1];
  return code === undefined || code === "README" ? undefined : code;
}

/** What a code means and what to do, as the documentation has it. `isBare`: without its heading, where that is there already. */
export function CodePage({ code, isBare = false }: { code: string; isBare?: boolean }) {
  const query = useQuery(codePage(code));
  return (
    <Loaded query={query}>
      {({ markdown }) => (
        <Markdown
          text={isBare ? markdown.replace(/^\s*# .*\n/, "") : markdown}
          level={3}
          link={(href, label) => {
            const other = codeOf(href);
            return other === undefined ? (
              label
            ) : (
              <TextLink to="/codes/$code" params={{ code: other }}>
                {label}
              </TextLink>
            );
          }}
        />
      )}
    </Loaded>
  );
}
