import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";
import { defineConfig, globalIgnores } from "eslint/config";
import ts from "typescript-eslint";

export default defineConfig([
  globalIgnores(["dist", "src/api/schema.d.ts"]),
  js.configs.recommended,
  {
    files: ["src/**/*.{ts,tsx}", "vite.config.ts", "compressed.ts"],
    extends: [ts.configs.strictTypeChecked, hooks.configs.flat.recommended],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      // A component that does not fit on three screens is several.
      "max-lines": ["error", { max: 200, skipBlankLines: true, skipComments: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // The router's redirects are thrown.
      "@typescript-eslint/only-throw-error": "off",
      "no-restricted-properties": [
        "error",
        { property: "dangerouslySetInnerHTML", message: "what devices and operators write is text" },
      ],
    },
  },
  {
    files: ["public/**/*.js"],
    languageOptions: { globals: { document: "readonly", localStorage: "readonly", matchMedia: "readonly" } },
  },
]);
