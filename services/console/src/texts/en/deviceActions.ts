const sessionEnds = (isOnline: boolean) =>
  isOnline ? "Its session, which is open now, is closed at once." : "It has no open session now.";

/** What can be done to a device, what follows, and what is said after. */
export const deviceActions = {
  close: "Close",
  cancel: "Cancel",
  position: (position: string) => `The log says so at position ${position}.`,
  now: "The device now:",
  gone: "there is none by this id",
  fingerprintNow: "Its fingerprint now:",
  nextCertificate: "It has no fingerprint now: the next certificate that fits becomes it.",
  outOfReach: "Connectors that may not hear of it now:",
  session: {
    none: "It had no session.",
    going: "Its session is still open; waiting for its end.",
    ended: "Its session is closed: it is offline.",
    stays: "Its session goes on.",
  },
  freeze: {
    label: "Freeze",
    title: (device: string) => `Freeze ${device}?`,
    confirm: "Freeze the device",
    done: "The device is frozen.",
    consequences: (isOnline: boolean) => [
      sessionEnds(isOnline),
      "It may not connect until it is unfrozen: each try is refused with device_frozen.",
      "Its certificate, tags, policies and shadow stay as they are.",
    ],
  },
  unfreeze: {
    label: "Unfreeze",
    title: (device: string) => `Unfreeze ${device}?`,
    confirm: "Unfreeze the device",
    done: "The device is unfrozen.",
    consequences: () => [
      "It may connect again with the certificate that it has; nothing needs to be registered anew.",
      "When it does is its own affair: a device tries again by itself or does not.",
    ],
  },
  reset: {
    label: "Reset fingerprint",
    title: (device: string) => `Reset the fingerprint of ${device}?`,
    confirm: "Reset the fingerprint",
    done: "The fingerprint is reset.",
    slot: "Which of the two",
    primary: "Primary",
    secondary: "Spare",
    fingerprint: "Fingerprint to be",
    fingerprintHint: "SHA-1 or SHA-256 of the certificate. Empty: the next certificate that fits becomes it.",
    noFingerprint: "40 or 64 hex digits are needed, or nothing.",
    consequences: (isOnline: boolean) => [
      isOnline
        ? "Its session ends within a second if its certificate is not the device's any more."
        : "It has no open session now.",
      "The certificate that it has now lets it in no more, unless it is the one named here.",
      "Without a fingerprint, whoever comes first with a certificate that fits is the device.",
    ],
  },
  delete: {
    label: "Delete",
    title: (device: string) => `Delete ${device}?`,
    confirm: "Delete the device",
    done: "The device is deleted.",
    consequences: (isOnline: boolean) => [
      sessionEnds(isOnline),
      "It does not come back by itself: its certificate is taken away and refused, under this id and any other.",
      "Its tags, shadow and waiting messages are gone. Its history stays.",
      "Readmitting it, and its certificate, lets it register again.",
    ],
  },
  readmit: {
    label: "Readmit",
    title: (device: string) => `Readmit ${device}?`,
    confirm: "Readmit the device",
    done: "The device is readmitted.",
    consequences: () => [
      "A device by this id may register again, as new, by a certificate that a template makes it of.",
      "A certificate that was taken away from it stays out until it is readmitted too.",
    ],
  },
};
