import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeAll, expect, test, vi } from "vitest";

import { texts } from "../../texts";
import { newBody, setOnCertificateChange } from "./edits";
import type { WhatIf } from "./queries";
import { ReviewDialog } from "./ReviewDialog";
import { stubBrowser, Surroundings } from "./testing";

const ask = vi.fn<() => Promise<WhatIf>>();
vi.mock("./queries", () => ({ whatIf: () => ({ queryKey: ["what-if"], queryFn: () => ask() }) }));
vi.mock("../../api/place", () => ({ usePlace: () => ({ instance: "north", project: "p" }) }));
vi.mock("../../kit/links", () => ({ TextLink: ({ children }: { children: string }) => children }));

beforeAll(stubBrowser);
afterEach(cleanup);

const NONE = { collides: [], no_device: [], other_device: [], product_elsewhere: [] };
const answer = (counts: Partial<WhatIf["counts"]>, more: Partial<WhatIf> = {}): WhatIf => ({
  valid: true,
  complete: true,
  faults: [],
  examples: NONE,
  counts: {
    examined: 3106,
    unchanged: 0,
    collides: 0,
    no_device: 0,
    not_by_template: 0,
    other_device: 0,
    product_elsewhere: 0,
    unreadable: 0,
    ...counts,
  },
  ...more,
});

function open(isChanged = true) {
  const onSave = vi.fn(() => Promise.resolve());
  const before = newBody();
  const after = isChanged ? setOnCertificateChange(before, "replace") : before;
  render(
    <Surroundings>
      <ReviewDialog
        id="t"
        opened
        onClose={() => undefined}
        before={before}
        after={after}
        isOverwriting={false}
        onSave={onSave}
      />
    </Surroundings>,
  );
  return onSave;
}

const button = (name: string) => screen.getByRole<HTMLButtonElement>("button", { name });

test("the change is saved by a button that says how many lose access, after it was asked", async () => {
  let answered: (answer: WhatIf) => void = () => undefined;
  ask.mockReturnValue(new Promise((resolve) => (answered = resolve)));
  const onSave = open();
  expect(button(texts.template.save).disabled).toBe(true);
  answered(answer({ unchanged: 3102, no_device: 3, collides: 1 }));
  await screen.findByText("3,102 unchanged, 4 lose access");
  fireEvent.click(button(texts.template.saveAndLose(4)));
  await waitFor(() => expect(onSave).toHaveBeenCalledOnce());
});

test("what the API would refuse cannot be saved, and says why", async () => {
  ask.mockResolvedValue(answer({}, { rejection: { code: "product_in_another_space", message: "not in that space" } }));
  open();
  await screen.findByText("not in that space");
  expect(button(texts.template.save).disabled).toBe(true);
});

test("a body with faults cannot be saved, and names them", async () => {
  ask.mockResolvedValue(
    answer({}, { valid: false, faults: [{ field: "resources.device.node_id", rule: "is required" }] }),
  );
  open();
  await screen.findByText("resources.device.node_id");
  expect(button(texts.template.save).disabled).toBe(true);
});

test("a change that was not answered for cannot be saved, and can be asked for again", async () => {
  ask.mockRejectedValueOnce(new Error("other questions are being worked on"));
  open();
  await screen.findByText("other questions are being worked on");
  expect(button(texts.template.save).disabled).toBe(true);
  ask.mockResolvedValue(answer({ unchanged: 3106 }));
  fireEvent.click(button(texts.template.whatIf.again));
  await screen.findByText("3,106 unchanged");
  expect(button(texts.template.save).disabled).toBe(false);
});

test("a description alone is saved without asking", () => {
  ask.mockClear();
  open(false);
  expect(ask).not.toHaveBeenCalled();
  expect(button(texts.template.save).disabled).toBe(false);
});
