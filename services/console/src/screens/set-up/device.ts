import { quoted } from "../ca-certificates/lines";
import { linesOf, PUBLISH, type Statement } from "../policy/statements";

const name = (files: string) => files.split("/").at(-1) ?? files;

/** A topic that a policy allows a device of the product, whose CN is the name of its files; any where the policy is not known. */
export function topicOf(statements: Statement[], product: string | undefined, files: string): string {
  const allowing = statements.find(({ effect, actions }) => effect === "ALLOW" && actions.includes(PUBLISH));
  const pattern = allowing === undefined ? "" : (linesOf(allowing).split("\n")[0] ?? "");
  const values: [variable: string, value: string][] = [
    // The id that a device has whose template chooses none.
    ["${devices.deviceId}", `${product ?? ""}_${name(files)}`],
    ["${devices.clientId}", name(files)],
    ["${devices.productId}", product ?? ""],
  ];
  const topic = values.reduce((text, [variable, value]) => text.replaceAll(variable, value), pattern);
  return topic.replaceAll("*", "hello").replaceAll("?", "x") || "hello";
}

/** Where a device connects, and with what. */
export interface Connection {
  host: string;
  port: number;
  /** The file of the CA certificate that the server's leads to. */
  ca: string;
  /** The device's certificate and key, without `.crt` and `.key`. */
  files: string;
  /** What is published to, such as a topic that the policy allows. */
  topic: string;
}

/** Publishes one report as an unknown device: the platform knows it afterwards. Any client id will do. */
export function mosquittoLine({ host, port, ca, files, topic }: Connection): string[] {
  return [
    `mosquitto_pub -h ${quoted(host)} -p ${port} --cafile ${quoted(ca)} \\`,
    `  --cert ${quoted(`${files}.crt`)} --key ${quoted(`${files}.key`)} \\`,
    `  -i ${quoted(name(files))} -q 1 -t ${quoted(topic)} -m hello`,
  ];
}

/** The same with the command line of this product, which says what happens at each step. */
export function rollcallLine({ host, port, ca, files }: Connection): string[] {
  return [
    `rollcall device --host ${quoted(host)} --port ${port} --server-ca ${quoted(ca)} \\`,
    `  --certificate ${quoted(`${files}.crt`)} --key ${quoted(`${files}.key`)}`,
  ];
}
