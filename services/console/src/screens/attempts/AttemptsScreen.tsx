import { SegmentedControl } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useQueryClient } from "@tanstack/react-query";

import { usePlace } from "../../api/place";
import { seesWholeInstance, useOperator } from "../../api/session";
import { CopyAs } from "../../kit/CopyAs";
import { Connection } from "../../kit/Connection";
import { Empty } from "../../kit/Empty";
import { ButtonLink } from "../../kit/links";
import { useLiveEffect } from "../../kit/live/useLive";
import { Page } from "../../kit/Page";
import { SearchField } from "../../kit/SearchField";
import { texts } from "../../texts";
import classes from "./attempts.module.css";
import { GroupOf } from "./GroupOf";
import { Overview } from "./Overview";
import { keyOfAttempts } from "./queries";
import { type AttemptsSearch, groupOf, SPAN, SPANS } from "./search";

/**
 * Why connections and changes were refused: in groups, then one by one; or one group with what can be done about it. Attempts have no
 * resource space, so that they are for operators of the whole instance.
 */
export function AttemptsScreen() {
  const operator = useOperator();
  return seesWholeInstance(operator) ? <Attempts /> : <MayNotSee />;
}

function MayNotSee() {
  const { instance } = usePlace();
  return (
    <Page title={texts.attempts.title}>
      <Empty text={texts.attempts.wholeInstanceOnly}>
        <ButtonLink to="/instances/$instance/devices" params={{ instance }} variant="default">
          {texts.attempts.toDevices}
        </ButtonLink>
      </Empty>
    </Page>
  );
}

function Attempts() {
  const { instance } = usePlace();
  const search = useSearch({ from: "/signed-in/instances/$instance/attempts" });
  const navigate = useNavigate({ from: "/instances/$instance/attempts" });
  const queries = useQueryClient();
  // What is refused now is in the list as soon as the list is read again; the stream says when.
  const live = useLiveEffect(instance, ["refusal"], () => {
    void queries.invalidateQueries({ queryKey: keyOfAttempts(instance) }, { cancelRefetch: false });
  });
  const group = groupOf(search);
  const hours = search.hours ?? SPAN;
  const chooseHours = (value: string) => {
    const chosen = SPANS.find((span) => span.toString() === value);
    void navigate({
      search: (before) => without({ ...before, hours: chosen === SPAN ? undefined : chosen }),
      replace: true,
    });
  };
  return (
    <Page
      title={texts.attempts.title}
      actions={
        <>
          <Connection {...live} />
          <CopyAs of={{ request: { method: "GET", path: `/rollcall/v1/instances/${instance}/attempts?limit=50` } }} />
          <SegmentedControl
            size="xs"
            aria-label={texts.attempts.span}
            value={hours.toString()}
            onChange={chooseHours}
            data={SPANS.map((span) => ({ value: span.toString(), label: texts.attempts.spans[span] }))}
          />
        </>
      }
    >
      {group !== undefined ? (
        <GroupOf key={JSON.stringify(group)} instance={instance} group={group} hours={hours} />
      ) : (
        <div>
          <SearchField
            value={search.certificate ?? ""}
            label={texts.attempts.search}
            onChange={(text) =>
              void navigate({
                search: (before) => without({ ...before, certificate: text === "" ? undefined : text }),
                replace: true,
              })
            }
          />
          <div className={classes["below"]}>
            <Overview instance={instance} hours={hours} certificate={search.certificate} />
          </div>
        </div>
      )}
    </Page>
  );
}

/** What is undefined is not in the URL. */
function without(search: { [Key in keyof AttemptsSearch]: AttemptsSearch[Key] | undefined }): AttemptsSearch {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined));
}
