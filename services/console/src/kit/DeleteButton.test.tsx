import { cleanup, fireEvent, screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, expect, test, vi } from "vitest";

import type { DeletionImpact } from "../api/impact";
import { show } from "../testing/show";
import { texts } from "../texts";
import { DeleteButton } from "./DeleteButton";

const ask = vi.fn<() => Promise<DeletionImpact>>();
vi.mock("../api/impact", () => ({ impactOf: () => ({ queryKey: ["impact"], queryFn: () => ask() }) }));
vi.mock("./links", () => ({ TextLink: ({ children }: { children: ReactNode }) => children }));

afterEach(cleanup);

const words = texts.product.deletion;
const none: DeletionImpact = { complete: true, devices: 0, online: 0, users: [] };

async function opened(impact: DeletionImpact) {
  ask.mockResolvedValue(impact);
  const doomed = { kind: "product", space: "s", product: "truck" } as const;
  show(<DeleteButton words={words} instance="north" doomed={doomed} typed="Truck" onConfirm={vi.fn()} />);
  fireEvent.click(screen.getByRole("button", { name: words.open }));
  await screen.findByText(texts.kit.impact.devices(impact.devices, impact.online));
}

test("what would be refused is not offered, and says what stands in the way", async () => {
  await opened({
    ...none,
    devices: 305,
    rejection: { code: "in_use", text: "product truck is still used by devices" },
    users: [{ kind: "template", id: "t", name: "by_name" }],
  });
  expect(screen.getByText(/product truck is still used by devices/)).toBeTruthy();
  expect(screen.getByText("by_name")).toBeTruthy();
  expect(screen.queryByLabelText(texts.kit.confirm.type("Truck"))).toBeNull();
  expect(screen.getByRole<HTMLButtonElement>("button", { name: words.submit }).disabled).toBe(true);
});

test("what would be carried out asks for the name", async () => {
  await opened(none);
  fireEvent.change(screen.getByLabelText(texts.kit.confirm.type("Truck")), { target: { value: "Truck" } });
  expect(screen.getByRole<HTMLButtonElement>("button", { name: words.submit }).disabled).toBe(false);
});
