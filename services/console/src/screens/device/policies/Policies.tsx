import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { Empty } from "../../../kit/Empty";
import { TextLink } from "../../../kit/links";
import { Loaded } from "../../../kit/Loaded";
import { Card } from "../../../kit/Page";
import { Untrusted } from "../../../kit/Untrusted";
import { texts } from "../../../texts";
import classes from "../device.module.css";
import type { Target } from "../queries";
import { policiesInEffect, type PolicyInEffect } from "./queries";
import { Tester } from "./Tester";

const words = texts.device.policies;

/** What the device may publish and subscribe: the policies that say so, and a test of one topic. */
export function Policies({ target }: { target: Target }) {
  const query = useQuery(policiesInEffect(target));
  return (
    <div>
      <Tester target={target} />
      <Card title={words.title}>
        <Loaded query={query}>
          {(policies) =>
            policies.length === 0 ? (
              <Empty text={words.none} />
            ) : (
              <ul className={classes["entries"]}>
                {policies.map((policy) => (
                  <li key={`${policy.policy_id} ${policy.through}`} className={classes["entry"]}>
                    <One target={target} policy={policy} />
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      </Card>
    </div>
  );
}

function One({ target, policy }: { target: Target; policy: PolicyInEffect }) {
  const { policy_id, policy_name, statement, through, target_id } = policy;
  return (
    <>
      <div className={classes["head"]}>
        <TextLink
          to="/instances/$instance/policies/$policy"
          params={{ instance: target.instance, policy: policy_id }}
          size="sm"
          fw={600}
        >
          <Untrusted text={policy_name} />
        </TextLink>
        <Text size="sm" c="var(--rc-muted)">
          {words.through[through]} <Untrusted text={target_id} mono />
        </Text>
      </div>
      {statement.map(({ effect, actions, resources }, index) => (
        <div key={index} className={classes["head"]}>
          <Text size="sm" fw={600} c={effect === "DENY" ? "var(--rc-bad)" : "var(--rc-good)"}>
            {effect}
          </Text>
          <Text size="sm" component="div">
            <Untrusted text={actions.join(", ")} />
          </Text>
          <Text size="sm" component="div">
            <Untrusted text={resources.join("  ")} mono />
          </Text>
        </div>
      ))}
    </>
  );
}
