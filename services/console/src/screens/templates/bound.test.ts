import { expect, test } from "vitest";

import type { CaCertificate, Template } from "../../api/lists";
import { rowsOf } from "./bound";

const template = (id: string, description = ""): Template => ({
  template_id: id,
  template_name: `name_of_${id}`,
  description,
  create_time: "20260101T000000Z",
  update_time: "20260101T000000Z",
});
const certificate = (id: string, template_id?: string) =>
  ({ certificate_id: id, cn_name: id, ...(template_id === undefined ? {} : { template_id }) }) as CaCertificate;

test("each template has the CA certificates that are bound to it", () => {
  const rows = rowsOf([template("a"), template("b")], [certificate("x", "a"), certificate("y"), certificate("z", "a")]);
  expect(rows.map(({ bound }) => bound.map(({ certificate_id }) => certificate_id))).toEqual([["x", "z"], []]);
});

test("a search finds names, ids and descriptions, in any case", () => {
  const all = [template("a", "for Trucks"), template("b")];
  expect(rowsOf(all, [], "trucks").map((row) => row.template.template_id)).toEqual(["a"]);
  expect(rowsOf(all, [], " NAME_OF ")).toHaveLength(2);
});
