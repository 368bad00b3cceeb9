export const debug = {
  title: "Debug a certificate",
};
