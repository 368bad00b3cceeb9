// A `rollcall up` of one's own: its ports from the system, its data in a folder of its own, stopped by its process id.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import https from "node:https";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { until } from "./wait.js";

export const ROOT = resolve(import.meta.dirname, "../../..");
/** The program under test: ROLLCALL_BIN, or the debug build. */
export const PROGRAM = process.env.ROLLCALL_BIN ?? join(ROOT, "target/debug/rollcall");
/** A build of a debug binary starts, and makes its keys, within this. */
const STARTED_MS = 60_000;

export class Server {
  /** Starts one with the demo's fleet, or that of `fleet`: the path of a file, or null for an empty one. */
  static async start({ fleet = join(ROOT, "deploy/demo/fleet.yaml") } = {}) {
    if (!existsSync(PROGRAM)) {
      throw new Error(`there is no ${PROGRAM}: cargo build -p rollcall, or name another in ROLLCALL_BIN`);
    }
    const server = new Server();
    server.folder = mkdtempSync(join(tmpdir(), "rollcall-console-"));
    server.data = join(server.folder, "data");
    server.fleet = fleet;
    server.tokens = new Map();
    await server.#run("127.0.0.1:0", "127.0.0.1:0");
    const first = JSON.parse(readFileSync(join(server.data, "first-administrator.json"), "utf8"));
    server.administrator = { operator: first.operator, password: first.password };
    return server;
  }

  async #run(listen, api) {
    const output = (name) => openSync(join(this.folder, name), "a");
    const what = ["up", "--data", this.data, "--listen", listen, "--api", api];
    what.push(...(this.fleet === null ? [] : ["--fleet", this.fleet, "--demo"]));
    this.child = spawn(PROGRAM, what, { stdio: ["ignore", output("out"), output("err")] });
    const ended = new Promise((resolve) => this.child.once("exit", (code, signal) => resolve({ code, signal })));
    this.ended = ended;
    let gone;
    void ended.then((how) => (gone = how));
    this.up = await until(
      "rollcall up to be ready",
      () => {
        if (gone !== undefined) {
          throw new Error(`it ended with ${JSON.stringify(gone)}: ${this.errors()}`);
        }
        const up = JSON.parse(readFileSync(join(this.data, "up.json"), "utf8"));
        return up.pid === this.child.pid ? up : undefined;
      },
      STARTED_MS,
    );
    // Chromium takes the name for this machine, whatever resolves it.
    this.origin = this.up.api.url;
  }

  errors() {
    return readFileSync(join(this.folder, "err"), "utf8").slice(-4000);
  }

  /** Stops it, and starts it again on the same data and the same ports. */
  async restart() {
    const { instances, api } = this.up;
    const listen = instances[0]?.mqtts_address ?? "127.0.0.1:0";
    await this.#end();
    await this.#run(listen, api.address);
  }

  /** Stops it for good. Its folder stays where a test has failed. */
  async stop({ keep = false } = {}) {
    await this.#end();
    if (keep) {
      console.error(`kept: ${this.folder}`);
    } else {
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  async #end() {
    this.child.kill("SIGINT");
    const late = new Promise((resolve) => setTimeout(resolve, 20_000, "late").unref());
    if ((await Promise.race([this.ended, late])) === "late") {
      this.child.kill("SIGKILL");
      throw new Error(`rollcall up did not stop: ${this.errors()}`);
    }
  }

  /** One request as it is; the answer with its head and its bytes. */
  request(method, path, { headers = {}, body, agent } = {}) {
    const ca = readFileSync(this.up.api.ca_file);
    return new Promise((resolve, reject) => {
      const sent = https.request(new URL(path, this.origin), { method, headers, ca, agent }, (answer) => {
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () => {
          resolve({ status: answer.statusCode, headers: answer.headers, bytes: Buffer.concat(chunks) });
        });
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  /** A JSON request as the first administrator, or as another operator; what is answered, or an error that says what it was. */
  async api(method, path, { body, instance, as, agent } = {}) {
    const { token, project } = await this.#signedIn(as ?? this.administrator);
    const headers = { "X-Auth-Token": token };
    if (instance !== undefined) {
      headers["Instance-Id"] = instance;
    }
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
    }
    const whole = path.startsWith("/v5/iot/") || path.startsWith("/rollcall/");
    const target = whole ? path : `/v5/iot/${project}${path}`;
    const answer = await this.request(method, target, { headers, body: body && JSON.stringify(body), agent });
    const text = answer.bytes.toString("utf8");
    if (answer.status >= 300) {
      throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    }
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Makes an operator, of the whole fleet or of a scope, and returns what they sign in with. */
  async operator(name, role, scope) {
    const password = `correct horse ${name} battery`;
    await this.api("POST", "/rollcall/v1/operators", { body: { name, role, password, ...(scope && { scope }) } });
    return { operator: name, password };
  }

  /** A token of the first administrator. */
  async token() {
    return (await this.#signedIn(this.administrator)).token;
  }

  /** The token of an operator; each is asked for once. */
  #signedIn(credentials) {
    const known = this.tokens.get(credentials.operator) ?? this.#login(credentials);
    this.tokens.set(credentials.operator, known);
    return known;
  }

  async #login(credentials) {
    const headers = { "Content-Type": "application/json" };
    const answer = await this.request("POST", "/rollcall/v1/login", { headers, body: JSON.stringify(credentials) });
    const { token, project_id: project } = JSON.parse(answer.bytes.toString("utf8"));
    if (typeof token !== "string") {
      throw new Error(`no token for ${credentials.operator}: ${answer.status}`);
    }
    return { token, project };
  }
}
