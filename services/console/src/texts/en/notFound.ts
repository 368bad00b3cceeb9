export const notFound = {
  title: "No such page",
  text: "There is no such screen.",
  home: "To the instances",
};
