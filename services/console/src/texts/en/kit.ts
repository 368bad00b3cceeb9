export const kit = {
  loading: "Loading",
  showAll: (characters: number) => `Show all ${characters.toString()} characters`,
};
