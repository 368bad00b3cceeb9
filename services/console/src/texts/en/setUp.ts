export const setUp = {
  title: "Set-up",
};
