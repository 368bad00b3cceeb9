export const caCertificate = {
  title: "CA certificate",
  titleOf: (name: string) => `CA certificate ${name}`,
  id: "Id",
  owner: "Organization",
  uploaded: "Uploaded",
  valid: "Valid",
  pem: "The certificate as PEM",
  hidePem: "Hide it",
  notYetProven: "Until its key is proven, nothing that it has issued is let in.",
  trusted: {
    title: "Where it is trusted",
    here: (devices: number, online: number) =>
      `${devices.toString()} devices came by it here, ${online.toString()} of them online now.`,
    atLeast: "There are more than were looked at.",
    alone: "No other instance or resource space that you may see trusts this CA.",
    others: "The same CA, by name and key, is trusted in",
    instance: "Instance",
    space: "Resource space",
    certificate: "CA certificate",
  },
  remove: {
    open: "Delete",
    title: "Delete this CA certificate",
    stops: (devices: number, online: number) =>
      `${devices.toString()} devices came by it. They are not let in any more, and the ${online.toString()} that are online are cut off.`,
    distrust: "Distrust the CA: refuse it wherever it stands above a device, by name and key",
    distrustHint:
      "Devices often send the certificates above their own: without distrust, those of a deleted intermediate come by its root.",
    submit: "Delete",
    doneDistrusted: "It is deleted, and the CA is distrusted.",
    done: "It is deleted.",
    stillVouching: (ids: string) => `These verified CA certificates may still let its devices in: ${ids}`,
  },
  debug: "Debug a device certificate",
};
