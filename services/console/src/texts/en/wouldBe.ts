export const wouldBe = {
  field: "Field",
  value: "Value",
  deviceId: "Device id",
  nodeId: "Node id",
  deviceName: "Device name",
  none: "none",
  product: "Product",
  space: "Resource space",
  tag: (key: string) => `Tag ${key}`,
  policies: "Policies",
  noPolicies: "none of its own",
};
