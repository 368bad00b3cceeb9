import { Loader, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { seesWholeInstance, useOperator } from "../../api/session";
import { Chart, type Series } from "../../kit/Chart";
import { Failure } from "../../kit/Failure";
import { texts } from "../../texts";
import { lastHour } from "./activity";
import classes from "./InstancesScreen.module.css";
import { activity } from "./queries";

interface Props {
  instance: string;
  isInSight: boolean;
}

/** Registrations and refusals a minute, for the last hour; of the whole instance, and so for those who may see it. */
export function InstanceActivity(props: Props) {
  if (!seesWholeInstance(useOperator())) {
    return (
      <Text size="sm" c="var(--rc-muted)">
        {texts.instances.activityWithheld}
      </Text>
    );
  }
  return <Activity {...props} />;
}

function Activity({ instance, isInSight }: Props) {
  const { data, error, dataUpdatedAt } = useQuery({ ...activity(instance), enabled: isInSight });
  const hour = useMemo(
    () => (data === undefined ? undefined : lastHour(data, new Date(dataUpdatedAt))),
    [data, dataUpdatedAt],
  );
  const series = useMemo(
    (): Series[] => [
      { label: texts.instances.registrations, values: hour?.registrations ?? [], tone: "accent" },
      { label: texts.instances.refusals, values: hour?.refusals ?? [], tone: "bad" },
    ],
    [hour],
  );
  if (hour === undefined) {
    return (
      <div className={classes["chart"]}>
        {error === null ? <Loader size="sm" aria-label={texts.kit.loading} /> : <Failure error={error} />}
      </div>
    );
  }
  return (
    <div className={classes["chart"]}>
      <Chart label={texts.instances.activity(instance)} times={hour.times} series={series} height={90} />
    </div>
  );
}
