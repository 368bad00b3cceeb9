const plural = (count: number, one: string, many: string) =>
  `${new Intl.NumberFormat("en-GB").format(count)} ${count === 1 ? one : many}`;

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
      devices === 0
        ? "No device has come by it here yet."
        : `${plural(devices, "device", "devices")} came by it here, ${online === 0 ? "none" : online.toString()} of them online now.`,
    ending: (count: number) => `Certificates of theirs that end within 30 days: ${count.toString()}.`,
    notReady: (ids: string) => `These instances could not be asked now: ${ids}`,
    unproven: "not proven",
    atLeast: "There are more than were looked at.",
    alone: "No other instance or resource space that you may see trusts this CA.",
    others: "The same CA, by name and key, is trusted in",
    instance: "Instance",
    space: "Resource space",
    certificate: "CA certificate",
  },
  remove: {
    open: "Delete",
    title: "Delete this CA certificate?",
    stops: (devices: number, online: number) =>
      devices === 0
        ? "No device came by it."
        : `${plural(devices, "device", "devices")} came by it, ${online === 0 ? "none" : online.toString()} of them online now: they are cut off, and not let in any more.`,
    through: (devices: number) =>
      `${plural(devices, "device", "devices")} of other CA certificates have it in their chain: distrusted, they lose access too.`,
    vouching: (ids: string) => `Some of its devices would still be let in by: ${ids}.`,
    distrust: "Distrust the CA: refuse it wherever it stands above a device, by name and key",
    distrustHint:
      "Devices often send the certificates above their own: without distrust, those of a deleted intermediate come by its root.",
    submit: "Delete the CA certificate",
    doneDistrusted: "It is deleted, and the CA is distrusted.",
    done: "It is deleted.",
    stillVouching: (ids: string) => `These verified CA certificates may still let its devices in: ${ids}`,
  },
  debug: "Debug a device certificate",
};
