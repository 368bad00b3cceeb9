export const policy = {
  title: "Policy",
};
