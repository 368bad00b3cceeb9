import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { type Product, products } from "../../api/lists";
import { usePlace } from "../../api/place";
import { mayChange, useOperator } from "../../api/session";
import type { Column } from "../../kit/DataTable";
import { CopyAs } from "../../kit/CopyAs";
import { Empty } from "../../kit/Empty";
import { ButtonLink, TextLink } from "../../kit/links";
import { Loaded } from "../../kit/Loaded";
import { Page } from "../../kit/Page";
import { SearchedTable } from "../../kit/SearchedTable";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";

const words = texts.products;

function columns(instance: string): Column<Product>[] {
  return [
    {
      id: "name",
      header: words.columns.name,
      cell: ({ product_id, app_id, name }) => (
        <TextLink
          to="/instances/$instance/products/$product"
          params={{ instance, product: product_id }}
          search={{ space: app_id }}
        >
          <Untrusted text={name} />
        </TextLink>
      ),
    },
    { id: "id", header: words.columns.id, cell: ({ product_id }) => <Untrusted text={product_id} mono /> },
    { id: "space", header: words.columns.space, cell: ({ app_name }) => <Untrusted text={app_name} /> },
    { id: "type", header: words.columns.deviceType, cell: ({ device_type }) => <Untrusted text={device_type} /> },
    { id: "made", header: words.columns.made, cell: ({ create_time }) => <Time at={create_time} /> },
  ];
}

export function ProductsScreen() {
  const place = usePlace();
  const { instance } = place;
  const { q = "" } = useSearch({ from: "/signed-in/instances/$instance/products" });
  const navigate = useNavigate({ from: "/instances/$instance/products" });
  const query = useQuery(products(place));
  const create = mayChange(useOperator()) && (
    <ButtonLink to="/instances/$instance/products/$product" params={{ instance, product: "new" }} search={{}}>
      {words.create}
    </ButtonLink>
  );
  return (
    <Page
      title={words.title}
      actions={
        <>
          <CopyAs of={{ request: { method: "GET", path: `/v5/iot/${place.project}/products?limit=50`, instance } }} />
          {create}
        </>
      }
    >
      <Loaded query={query}>
        {(all) => (
          <SearchedTable
            words={words}
            rows={all}
            none={<Empty text={words.none} />}
            textsOf={({ name, product_id, app_name }) => [name, product_id, app_name]}
            q={q}
            onSearch={(sought) => void navigate({ search: { q: sought }, replace: true })}
            columns={columns(instance)}
            rowId={({ app_id, product_id }) => `${app_id} ${product_id}`}
            onOpen={({ app_id, product_id }) =>
              void navigate({
                to: "/instances/$instance/products/$product",
                params: { instance, product: product_id },
                search: { space: app_id },
              })
            }
          />
        )}
      </Loaded>
    </Page>
  );
}
