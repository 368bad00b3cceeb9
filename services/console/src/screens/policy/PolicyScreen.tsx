import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { Stack } from "@mantine/core";

import type { Policy } from "../../api/lists";
import { type Place, usePlace } from "../../api/place";
import { mayChange, useOperator } from "../../api/session";
import { CopyAs } from "../../kit/CopyAs";
import { DeleteButton } from "../../kit/DeleteButton";
import { Loaded } from "../../kit/Loaded";
import { MayNot } from "../../kit/MayNot";
import { Card, Page } from "../../kit/Page";
import { texts } from "../../texts";
import { PolicyEditor } from "./PolicyEditor";
import { declared, policy, remove } from "./queries";
import { Targets } from "./Targets";

export function PolicyScreen() {
  const words = texts.policy;
  const place = usePlace();
  const { policy: id } = useParams({ from: "/signed-in/instances/$instance/policies/$policy" });
  const operator = useOperator();
  const may = mayChange(operator);
  if (id === "new") {
    return !may ? (
      <MayNot title={words.create} operator={operator} />
    ) : (
      <Page title={words.create}>
        <Card>
          <PolicyEditor place={place} readOnly={false} />
        </Card>
      </Page>
    );
  }
  return <Known key={id} place={place} id={id} may={may} />;
}

function Known({ place, id, may }: { place: Place; id: string; may: boolean }) {
  const words = texts.policy;
  const query = useQuery(policy(place, id));
  const path = `/v5/iot/${place.project}/device-policies/${id}`;
  return (
    <Page
      title={query.data === undefined ? words.title : words.titleOf(query.data.policy_name)}
      actions={
        <>
          <CopyAs
            of={{
              request: { method: "GET", path, instance: place.instance },
              ...(query.data !== undefined && { fleet: declared(place.instance, query.data) }),
            }}
          />
          {may && query.data !== undefined && <Delete place={place} policy={query.data} />}
        </>
      }
    >
      <Loaded query={query}>
        {(shown) => (
          <Stack>
            <Card>
              {/* Made anew when somebody else has changed it. */}
              <PolicyEditor key={shown.update_time} place={place} policy={shown} readOnly={!may} />
            </Card>
            <Card title={words.targets.title}>
              <Targets place={place} policy={id} mayChange={may} />
            </Card>
          </Stack>
        )}
      </Loaded>
    </Page>
  );
}

function Delete({ place, policy: { policy_id, policy_name } }: { place: Place; policy: Policy }) {
  const words = texts.policy.deletion;
  const queries = useQueryClient();
  const navigate = useNavigate();
  const confirm = async () => {
    await remove(place, policy_id);
    await navigate({ to: "/instances/$instance/policies", params: { instance: place.instance } });
    await queries.invalidateQueries({ queryKey: ["policies", place.instance] });
  };
  return (
    <DeleteButton
      words={words}
      instance={place.instance}
      doomed={{ kind: "policy", policy: policy_id }}
      typed={policy_name}
      onConfirm={confirm}
    />
  );
}
