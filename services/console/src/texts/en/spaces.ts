export const spaces = {
  title: "Resource spaces",
};
