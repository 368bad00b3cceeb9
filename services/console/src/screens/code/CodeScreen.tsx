import { useParams } from "@tanstack/react-router";

import { CodePage } from "../../kit/CodePage";
import { Card, Page } from "../../kit/Page";
import { visible } from "../../kit/Untrusted";
import { texts } from "../../texts";

/** What a code means and what to do: the page of docs/operate/codes. */
export function CodeScreen() {
  const { code } = useParams({ from: "/signed-in/codes/$code" });
  return (
    <Page title={texts.code.title(visible(code))}>
      <Card>
        <CodePage code={code} isBare />
      </Card>
    </Page>
  );
}
