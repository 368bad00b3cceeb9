export const templates = {
  title: "Templates",
  new: "New template",
  full: "All ten are used. Delete one that no CA certificate needs.",
  used: (used: number, of: number) => `${used.toString()} of ${of.toString()} used, ${(of - used).toString()} free`,
  seen: (count: number) => `${count.toString()} that concern your resource spaces`,
  none: "There is no template yet. A template says which device a certificate becomes: its node id, its product, its tags and its policies. Make one, then bind it to a CA certificate.",
  noneToSee:
    "No template concerns your resource spaces yet. Somebody with the whole instance makes one; you can then bind it to your CA certificates.",
  noneFound: (q: string) => `No template is called like “${q}”.`,
  name: "Name",
  description: "Description",
  boundTo: "Bound to",
  boundToNone: "No CA certificate yet",
  selfRegistrationOff: "self-registration is off",
  changed: "Changed",
};
