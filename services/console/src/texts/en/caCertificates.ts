export const caCertificates = {
  title: "CA certificates",
};
