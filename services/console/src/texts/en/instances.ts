export const instances = {
  title: "Instances",
  none: "There is no instance yet, or none that you may see. An administrator adds one with POST /rollcall/v1/instances or in the fleet file.",
  devices: "Devices",
  online: "Online",
  connectors: "Connectors",
  notServed: "This API process does not serve the instance yet",
  unready: (why: string) => `Not ready: ${why}`,
  unwritable: (why: string) => `Cannot be changed: ${why}`,
  noSelfRegistration: "Its edition or region does not allow self-registration",
};
