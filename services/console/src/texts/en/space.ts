export const space = {
  title: "Resource space",
};
