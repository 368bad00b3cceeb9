/** A text as one word of a POSIX shell. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Makes the certificate that proves to hold the CA's key, with OpenSSL. */
export function opensslProof(code: string): string[] {
  return [
    `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj ${quoted(`/CN=${code}`)} -keyout proof.key -out proof.csr`,
    "openssl x509 -req -in proof.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 1 -out proof.crt",
  ];
}

/** The same with the command line of this product. */
export function pkiProof(code: string): string[] {
  return [`rollcall pki verification --ca ca.crt --ca-key ca.key --code ${quoted(code)} --out proof.crt`];
}

/** Makes a CA to try things out with. */
export const OPENSSL_CA = [
  'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/O=Acme/CN=Acme Device CA" \\',
  "  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign -keyout ca.key -out ca.crt",
];

/** Makes a device's key and certificate under the CA. */
export function opensslDevice(subject: string, name: string): string[] {
  const [key, csr, crt] = ["key", "csr", "crt"].map((ending) => quoted(`${name}.${ending}`)) as [
    string,
    string,
    string,
  ];
  return [
    `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj ${quoted(subject)} -keyout ${key} -out ${csr}`,
    `openssl x509 -req -in ${csr} -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -out ${crt}`,
  ];
}

/** The same as {@link OPENSSL_CA} with the command line of this product. */
export const PKI_CA = ['rollcall pki ca --name ca --subject "CN=Acme Device CA,O=Acme"'];

/** The same with the command line of this product; the files are named after the CN. */
export function pkiDevice(subject: string): string[] {
  return [`rollcall pki device --ca ca.crt --ca-key ca.key --subject ${quoted(subject)}`];
}
