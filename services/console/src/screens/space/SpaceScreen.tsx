import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";

import type { Space } from "../../api/lists";
import { type Place, usePlace } from "../../api/place";
import { mayChange, seesWholeInstance, useOperator } from "../../api/session";
import { CopyAs } from "../../kit/CopyAs";
import { inSpace } from "../../kit/copy/fleet";
import { DeleteButton } from "../../kit/DeleteButton";
import { Facts } from "../../kit/Facts";
import { Failure } from "../../kit/Failure";
import { ButtonLink } from "../../kit/links";
import { Loaded } from "../../kit/Loaded";
import { MayNot } from "../../kit/MayNot";
import { Card, Page } from "../../kit/Page";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import { NewSpace } from "./NewSpace";
import { remove, rename, space } from "./queries";

export function SpaceScreen() {
  const words = texts.space;
  const place = usePlace();
  const { space: id } = useParams({ from: "/signed-in/instances/$instance/spaces/$space" });
  const operator = useOperator();
  if (id === "new") {
    return !(mayChange(operator) && seesWholeInstance(operator)) ? (
      <MayNot title={words.create} operator={operator} />
    ) : (
      <Page title={words.create}>
        <Card>
          <NewSpace place={place} />
        </Card>
      </Page>
    );
  }
  return <Known key={id} place={place} id={id} />;
}

function Known({ place, id }: { place: Place; id: string }) {
  const words = texts.space;
  const query = useQuery(space(place, id));
  const operator = useOperator();
  const may = mayChange(operator);
  const queries = useQueryClient();
  const navigate = useNavigate();
  const path = `/v5/iot/${place.project}/apps/${id}`;
  const confirm = async () => {
    await remove(place, id);
    await navigate({ to: "/instances/$instance/spaces", params: { instance: place.instance }, search: {} });
    await queries.invalidateQueries({ queryKey: ["spaces", place.instance] });
  };
  return (
    <Page
      title={query.data === undefined ? words.title : words.titleOf(query.data.app_name)}
      actions={
        <>
          <CopyAs
            of={{
              request: { method: "GET", path, instance: place.instance },
              ...(query.data !== undefined && { fleet: inSpace(place.instance, id, { name: query.data.app_name }) }),
            }}
          />
          {may && seesWholeInstance(operator) && query.data !== undefined && (
            <DeleteButton
              words={words.deletion}
              instance={place.instance}
              doomed={{ kind: "space", space: id }}
              typed={query.data.app_name}
              onConfirm={confirm}
            />
          )}
        </>
      }
    >
      <Loaded query={query}>
        {(shown) => (
          <Stack>
            <Card>
              <Stack gap="sm">
                <Facts
                  facts={[
                    [words.id, <Untrusted key="id" text={shown.app_id} mono />],
                    [words.made, <Time key="made" at={shown.create_time} dated />],
                  ]}
                />
                {shown.default_app && <Text size="sm">{words.isDefault}</Text>}
                {may && <Rename key={shown.app_name} place={place} space={shown} />}
              </Stack>
            </Card>
            <Owned instance={place.instance} space={id} />
          </Stack>
        )}
      </Loaded>
    </Page>
  );
}

function Owned({ instance, space }: { instance: string; space: string }) {
  const words = texts.space;
  const q = space;
  return (
    <Card title={words.owns}>
      <Group gap="sm">
        <ButtonLink variant="default" to="/instances/$instance/products" params={{ instance }} search={{ q }}>
          {words.products}
        </ButtonLink>
        <ButtonLink variant="default" to="/instances/$instance/policies" params={{ instance }} search={{ q }}>
          {words.policies}
        </ButtonLink>
        <ButtonLink variant="default" to="/instances/$instance/ca-certificates" params={{ instance }} search={{ q }}>
          {words.certificates}
        </ButtonLink>
        <ButtonLink to="/instances/$instance/set-up" params={{ instance }} search={{ space }}>
          {words.setUp}
        </ButtonLink>
      </Group>
    </Card>
  );
}

function Rename({ place, space: { app_id, app_name } }: { place: Place; space: Space }) {
  const words = texts.space;
  const [name, setName] = useState(app_name);
  const queries = useQueryClient();
  const renaming = useMutation({
    mutationFn: () => rename(place, app_id, name),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["spaces", place.instance] }),
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        renaming.mutate();
      }}
    >
      <Group align="flex-end" gap="sm">
        <TextInput label={words.name} value={name} required onChange={(event) => setName(event.currentTarget.value)} />
        <Button type="submit" variant="default" loading={renaming.isPending} disabled={name === app_name}>
          {words.save}
        </Button>
      </Group>
      {renaming.error !== null && <Failure error={renaming.error} />}
    </form>
  );
}
