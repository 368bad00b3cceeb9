import { expect, test } from "vitest";

import { described } from "./described";

const place = { instance: "north", project: "p" };
const wanted = { name: "Truck", device_type: "Vehicle", industry: "", data_format: "json", protocol_type: "MQTT" };

test("a fleet file declares what has an id and a resource space, without what is empty", () => {
  const made = { ...wanted, product_id: "truck", app_id: "vehicles", service_capabilities: [] };
  expect(described(place, made).fleet).toEqual({
    instances: [
      {
        id: "north",
        resource_spaces: [
          { id: "vehicles", products: [{ id: "truck", name: "Truck", device_type: "Vehicle", data_format: "json" }] },
        ],
      },
    ],
  });
  expect(described(place, { ...wanted, app_id: "vehicles", service_capabilities: [] }).fleet).toBeUndefined();
});
