/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

import { compressed } from "./compressed.ts";

// `ROLLCALL_API` names the deployment that `npm run dev` shows, such as https://localhost:8943.
const target = process.env["ROLLCALL_API"] ?? "https://localhost:8943";
// `ROLLCALL_TOKEN`, an operator's token, signs the development server in.
const token = process.env["ROLLCALL_TOKEN"];
const api = {
  target,
  secure: false,
  changeOrigin: true,
  headers: token === undefined ? {} : { "X-Auth-Token": token },
};

export default defineConfig({
  base: "/console/",
  plugins: [react(), compressed()],
  build: {
    target: "es2023",
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  server: { proxy: { "/rollcall": api, "/v5": api } },
  test: {
    restoreMocks: true,
    // A document takes seconds to make for each file: what renders components has one, and what asks for it in its first line.
    projects: [
      { extends: true, test: { name: "logic", environment: "node", include: ["src/**/*.test.ts"] } },
      { extends: true, test: { name: "components", environment: "jsdom", include: ["src/**/*.test.tsx"] } },
    ],
  },
});
