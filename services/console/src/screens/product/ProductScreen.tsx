import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";

import { type Place, usePlace } from "../../api/place";
import { mayChange, useOperator } from "../../api/session";
import { CopyAs } from "../../kit/CopyAs";
import { DeleteButton } from "../../kit/DeleteButton";
import { Loaded } from "../../kit/Loaded";
import { MayNot } from "../../kit/MayNot";
import { Card, Page } from "../../kit/Page";
import { texts } from "../../texts";
import { declared } from "./described";
import { ProductForm } from "./ProductForm";
import { product, remove, type Which } from "./queries";

export function ProductScreen() {
  const words = texts.product;
  const place = usePlace();
  const { product: id } = useParams({ from: "/signed-in/instances/$instance/products/$product" });
  const { space } = useSearch({ from: "/signed-in/instances/$instance/products/$product" });
  const operator = useOperator();
  const may = mayChange(operator);
  if (id === "new") {
    return !may ? (
      <MayNot title={words.create} operator={operator} />
    ) : (
      <Page title={words.create}>
        <Card>
          <ProductForm place={place} readOnly={false} />
        </Card>
      </Page>
    );
  }
  return <Known key={id} place={place} which={{ product: id, space }} may={may} />;
}

function Known({ place, which, may }: { place: Place; which: Which; may: boolean }) {
  const words = texts.product;
  const query = useQuery(product(place, which));
  const queries = useQueryClient();
  const navigate = useNavigate();
  const path = `/v5/iot/${place.project}/products/${which.product}`;
  const confirm = async () => {
    await remove(place, which);
    await navigate({ to: "/instances/$instance/products", params: { instance: place.instance }, search: {} });
    await queries.invalidateQueries({ queryKey: ["products", place.instance] });
  };
  return (
    <Page
      title={query.data === undefined ? words.title : words.titleOf(query.data.name)}
      actions={
        <>
          <CopyAs
            of={{
              request: { method: "GET", path, instance: place.instance },
              ...(query.data !== undefined && {
                fleet: declared(place.instance, query.data.app_id, which.product, query.data),
              }),
            }}
          />
          {may && query.data !== undefined && (
            <DeleteButton
              words={words.deletion}
              instance={place.instance}
              doomed={{ kind: "product", space: query.data.app_id, product: which.product }}
              typed={query.data.name}
              onConfirm={confirm}
            />
          )}
        </>
      }
    >
      <Loaded query={query}>
        {(shown) => (
          <Card>
            <ProductForm place={place} product={shown} readOnly={!may} />
          </Card>
        )}
      </Loaded>
    </Page>
  );
}
