export const notFound = {
  text: "There is no such screen.",
  home: "To the instances",
};
