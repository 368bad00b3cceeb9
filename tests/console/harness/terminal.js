// The terminal beside the browser: it runs the lines that a screen shows, as they are.

import { execFile, spawn } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

import { PROGRAM } from "./server.js";

const run = promisify(execFile);

export class Terminal {
  /** In a folder of its own below the server's, with `rollcall` on the path. */
  constructor(server, name = "terminal") {
    this.folder = join(server.folder, name);
    const programs = join(this.folder, "bin");
    mkdirSync(programs, { recursive: true });
    symlinkSync(PROGRAM, join(programs, "rollcall"));
    this.options = { cwd: this.folder, env: { ...process.env, PATH: `${programs}${delimiter}${process.env.PATH}` } };
  }

  file(name) {
    return join(this.folder, name);
  }

  /** Runs them to their end, with `variables` beside the environment's; an error says what they wrote. */
  run(lines, variables = {}) {
    const env = { ...this.options.env, ...variables };
    return run("sh", ["-ec", lines], { ...this.options, env, timeout: 60_000 });
  }

  /** Runs one that goes on; returns what ends it. */
  start(line) {
    const child = spawn("sh", ["-ec", `exec ${line}`], { ...this.options, stdio: "ignore" });
    return () => child.kill();
  }
}
