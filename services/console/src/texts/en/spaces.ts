export const spaces = {
  title: "Resource spaces",
  none: "There is no resource space that you may see.",
  columns: { name: "Name", id: "Id", isDefault: "Default", made: "Created" },
  isDefault: "Default",
  search: "Search by name or id",
  notFound: (q: string) => `No resource space matches “${q}”.`,
  create: "Create a resource space",
};
