export const policies = {
  title: "Policies",
  none: "No topic policy yet. One says which topics devices may publish and subscribe to; without any, only their own system topics.",
  search: "Search by name, id or resource space",
  notFound: (q: string) => `No policy matches “${q}”.`,
  create: "Create a policy",
  columns: { name: "Name", id: "Id", space: "Resource space", changed: "Changed" },
  isDefault: "Allows every topic to its whole resource space",
};
