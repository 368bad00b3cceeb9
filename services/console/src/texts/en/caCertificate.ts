export const caCertificate = {
  title: "CA certificate",
};
