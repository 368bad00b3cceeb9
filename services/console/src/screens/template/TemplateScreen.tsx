import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";

import { usePlace } from "../../api/place";
import { mayChange, seesWholeInstance, useOperator } from "../../api/session";
import { Loaded } from "../../kit/Loaded";
import { MayNot } from "../../kit/MayNot";
import { Page } from "../../kit/Page";
import { texts } from "../../texts";
import { ExistingTemplate } from "./ExistingTemplate";
import { NewTemplate } from "./NewTemplate";
import { template } from "./queries";

export function TemplateScreen() {
  const { template: id } = useParams({ from: "/signed-in/instances/$instance/templates/$template" });
  const operator = useOperator();
  if (id === "new" && !(mayChange(operator) && seesWholeInstance(operator))) {
    return <MayNot title={texts.template.newTitle} operator={operator} />;
  }
  // Whoever comes from one template to another begins anew.
  return id === "new" ? <NewTemplate /> : <Existing key={id} id={id} />;
}

function Existing({ id }: { id: string }) {
  const query = useQuery(template(usePlace(), id));
  if (query.data === undefined) {
    return (
      <Page title={texts.template.title}>
        <Loaded query={query}>{() => null}</Loaded>
      </Page>
    );
  }
  return <ExistingTemplate template={query.data} />;
}
