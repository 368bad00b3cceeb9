// Devices as they are: a key and a certificate by openssl, a connection by mosquitto's clients.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";

import { PROGRAM } from "./server.js";
import { until } from "./wait.js";

const run = promisify(execFile);

/** Makes a key and a certificate of the demo's CA in the server's folder. `subject`: as `openssl req -subj` takes it. */
export async function certificate(server, name, subject) {
  const [key, csr, crt] = ["key", "csr", "crt"].map((extension) => join(server.folder, `${name}.${extension}`));
  const { ca_certificate_file: ca, ca_key_file: caKey } = server.up.demo;
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
  await run("openssl", ["req", "-utf8", ...curve, "-nodes", "-keyout", key, "-out", csr, "-subj", subject]);
  const signed = [
    "x509",
    "-req",
    "-in",
    csr,
    "-CA",
    ca,
    "-CAkey",
    caKey,
    "-CAcreateserial",
    "-days",
    "30",
    "-out",
    crt,
  ];
  await run("openssl", signed);
  return { name, key, crt };
}

function connection(server, device, instance) {
  const where = server.up.instances.find(({ id }) => id === instance);
  const port = where.mqtts_address.split(":").at(-1);
  const tls = ["--cafile", where.server_ca_file, "--cert", device.crt, "--key", device.key];
  return ["-h", where.access_domain, "-p", port, ...tls, "-i", device.name, "-q", "1"];
}

/** Connects once and publishes a text, or a `{ file }`; whether it was let in. A refused device is an attempt. */
export async function publish(server, device, topic, message, instance = "north") {
  const what = typeof message === "string" ? ["-m", message] : ["-f", message.file];
  try {
    await run("mosquitto_pub", [...connection(server, device, instance), "-t", topic, ...what], {
      timeout: 30_000,
    });
    return true;
  } catch (error) {
    if (error.killed) {
      throw error;
    }
    return false;
  }
}

/** Connects and stays; returns what ends it. */
export async function stayOnline(server, device, topic, instance = "north") {
  const child = spawn("mosquitto_sub", [...connection(server, device, instance), "-t", topic], { stdio: "ignore" });
  let ended = false;
  child.once("exit", () => (ended = true));
  await until(`${device.name} to be online`, async () => {
    if (ended) {
      throw new Error("mosquitto_sub has ended");
    }
    const query = `/rollcall/v1/instances/${instance}/device-list?status=ONLINE&limit=50`;
    const { devices } = await server.api("GET", query);
    return devices.some(({ node_id: node }) => node === device.name);
  });
  return { stop: () => child.kill(), ended: () => ended };
}

/**
 * Connects by `rollcall device`, reports once, and stays for so many seconds; whatever resolves the access domain. `ended` is its
 * exit code: 0 where it went by itself.
 */
export function connect(server, device, instance, listenS) {
  const where = server.up.instances.find(({ id }) => id === instance);
  const files = ["--server-ca", where.server_ca_file, "--certificate", device.crt, "--key", device.key];
  const to = ["--host", where.access_domain, "--address", where.mqtts_address];
  const child = spawn(PROGRAM, ["device", ...to, ...files, "--listen-s", listenS.toString()], { stdio: "pipe" });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => (output += chunk));
  }
  const ended = once(child, "exit").then(([code]) => code);
  const isOpen = () => child.exitCode === null && child.signalCode === null;
  return { ended, isOpen, output: () => output, stop: () => child.kill() };
}
