export const products = {
  title: "Products",
  none: "No product yet. A product says what kind of device registers itself; a template names one.",
  search: "Search by name, id or resource space",
  notFound: (q: string) => `No product matches “${q}”.`,
  create: "Create a product",
  columns: { name: "Name", id: "Id", space: "Resource space", deviceType: "Device type", made: "Created" },
};
