import { quoted } from "../ca-certificates/lines";

/** Where a device connects, and with what. */
export interface Connection {
  host: string;
  port: number;
  /** The file of the CA certificate that the server's leads to. */
  ca: string;
  /** The device's certificate and key, without `.crt` and `.key`. */
  files: string;
}

/** Publishes one report as an unknown device: the platform knows it afterwards. Any client id will do. */
export function mosquittoLine({ host, port, ca, files }: Connection): string[] {
  return [
    `mosquitto_pub -h ${quoted(host)} -p ${port} --cafile ${quoted(ca)} --cert ${quoted(`${files}.crt`)} --key ${quoted(`${files}.key`)} \\`,
    `  -i ${quoted(files.split("/").at(-1) ?? files)} -q 1 -t 'hello' -m 'hello'`,
  ];
}

/** The same with the command line of this product, which says what happens at each step. */
export function rollcallLine({ host, port, ca, files }: Connection): string[] {
  return [
    `rollcall device --host ${quoted(host)} --port ${port} --server-ca ${quoted(ca)} \\`,
    `  --certificate ${quoted(`${files}.crt`)} --key ${quoted(`${files}.key`)}`,
  ];
}
