import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeAll, expect, test, vi } from "vitest";

import { texts } from "../../texts";
import { Editor } from "./Editor";
import { newBody } from "./edits";
import { readBody, written } from "./json";
import { stubBrowser, Surroundings } from "./testing";

let tab: { as?: string } = {};
vi.mock("@tanstack/react-router", async (original) => ({
  ...(await original<object>()),
  useSearch: () => tab,
  useNavigate: () => () => Promise.resolve(),
}));
vi.mock("../../api/place", () => ({ usePlace: () => ({ instance: "north", project: "p" }) }));
vi.mock("../../api/lists", () => {
  const list = (key: string) => () => ({ queryKey: [key], queryFn: () => Promise.resolve([]) });
  return { products: list("products"), policies: list("policies"), spaces: list("spaces") };
});
vi.mock("../../kit/links", () => ({ TextLink: ({ children }: { children: string }) => children }));

beforeAll(stubBrowser);
afterEach(() => {
  cleanup();
  tab = {};
});

function Whole({ begin }: { begin: string }) {
  const [text, setText] = useState(begin);
  return (
    <Surroundings>
      <Editor text={text} read={readBody(text)} onChange={setText} readOnly={false} />
      <output data-testid="text">{text}</output>
    </Surroundings>
  );
}

const text = () => screen.getByTestId("text").textContent;

test("the form edits the JSON and keeps what it does not show", () => {
  render(<Whole begin={written({ ...newBody(), later: [1] })} />);
  fireEvent.click(screen.getByLabelText("Country (C)"));
  fireEvent.change(screen.getByLabelText(texts.template.fields.device_name), {
    target: { value: "iotda::certificate::serial_number" },
  });
  const { body } = readBody(text());
  expect(body).toMatchObject({
    parameters: {
      "iotda::certificate::country": { type: "String" },
      "iotda::certificate::serial_number": { type: "String" },
    },
    resources: { device: { device_name: { ref: "iotda::certificate::serial_number" } } },
    later: [1],
  });
  expect(screen.getByRole("note").textContent).toContain("later");
});

test("a parameter that a field needs is not switched off", () => {
  render(<Whole begin={written(newBody())} />);
  fireEvent.click(screen.getByRole("switch", { name: /^Common name/ }));
  expect(text()).toBe(written(newBody()));
});

test("a text that is no JSON is kept, with the line and column where it is not", () => {
  const broken = '{\n  "parameters" {}\n}';
  render(<Whole begin={broken} />);
  expect(screen.getByRole("alert").textContent).toContain(texts.kit.json.at(2, 16, texts.kit.json.colon));
  cleanup();
  tab = { as: "json" };
  render(<Whole begin={broken} />);
  expect(screen.getByLabelText<HTMLTextAreaElement>(texts.template.jsonLabel).value).toBe(broken);
  fireEvent.change(screen.getByLabelText(texts.template.jsonLabel), { target: { value: '{"parameters": {}}' } });
  expect(readBody(text()).body).toEqual({ parameters: {} });
});
