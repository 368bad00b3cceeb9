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

const REPORT = '{"services":[{"service_id":"demo","properties":{"hello":1},"event_time":null}]}';

/**
 * Publishes once as an unknown device, which the platform knows afterwards. Any client id will do. A report needs the device's id,
 * and no policy; where the id is not known, the topic is one that a policy may refuse.
 */
export function mosquittoLine({ host, port, ca, files }: Connection, device: string | undefined): string[] {
  const topic = device === undefined ? "hello" : `$oc/devices/${device}/sys/properties/report`;
  return [
    `mosquitto_pub -h ${quoted(host)} -p ${port} --cafile ${quoted(ca)} \\`,
    `  --cert ${quoted(`${files}.crt`)} --key ${quoted(`${files}.key`)} \\`,
    `  -i ${quoted(files.split("/").at(-1) ?? files)} -q 1 -t ${quoted(topic)} \\`,
    `  -m ${quoted(device === undefined ? "hello" : REPORT)}`,
  ];
}

/** The same with the command line of this product, which says what happens at each step. */
export function rollcallLine({ host, port, ca, files }: Connection): string[] {
  return [
    `rollcall device --host ${quoted(host)} --port ${port} --server-ca ${quoted(ca)} \\`,
    `  --certificate ${quoted(`${files}.crt`)} --key ${quoted(`${files}.key`)}`,
  ];
}
