import { fileURLToPath } from "node:url";
import { type InlineConfig, type Plugin, transformWithEsbuild } from "vite";
import { defineConfig } from "vitest/config";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The packages by their names, as an application imports them. */
export const alias = {
  "@notification-hub/client": at("client/src/index.ts"),
  "@notification-hub/components": at("components/src/index.ts"),
  "@notification-hub/react": at("react/src/index.ts"),
};

/** Vite leaves white space and comments in libraries; who reads them has the sources and the types. */
const minified: Plugin = {
  name: "minified",
  renderChunk: { order: "post", handler: (code, { fileName }) => transformWithEsbuild(code, fileName, { minify: true, target: "es2022" }) },
};

/** A package as it is published. An application bundles socket.io-client and lit once, so they are left out. */
export const library = (name: string): InlineConfig => ({
  configFile: false, root: at(name), logLevel: "warn", plugins: [minified],
  build: {
    outDir: at(`${name}/dist`), emptyOutDir: true, target: "es2022",
    lib: { entry: at(`${name}/src/index.ts`), formats: ["es"], fileName: () => "index.js" },
    rollupOptions: { external: [/^@notification-hub\//, /^socket\.io-client$/, /^lit(\/|$)/, /^react(\/|$)/] },
  },
});

/** Pages as the hub serves them below their names. The demo's build empties the folder around them. */
export const pages: InlineConfig[] = ["console", "docs"].map((name) => ({
  configFile: false, root: at(name), base: `/${name}/`, logLevel: "warn", resolve: { alias },
  build: { outDir: at(`dist/${name}`), emptyOutDir: true, target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
}));

/** Tests of one kind; kinds run one after another in this `order`: what one announces to all users is
 * not for those of another. */
const project = (name: string, order: number, test: object): object => ({
  root: at("."), resolve: { alias },
  test: { name, setupFiles: ["test/overheard.ts"], sequence: { groupOrder: order }, testTimeout: 60_000, hookTimeout: 60_000, ...test },
});

export default defineConfig({
  root: at("demo"),
  base: "/",
  resolve: { alias },
  build: {
    outDir: at("dist"), emptyOutDir: true, target: "es2022", modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the page's policy allows no data: URLs
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8800", "/dev": "http://127.0.0.1:8800", "/socket.io": { target: "ws://127.0.0.1:8800", ws: true } } },
  test: {
    root: at("."),
    globalSetup: ["test/hub.setup.ts"],
    maxWorkers: 2, minWorkers: 1,
    reporters: ["default"],
    projects: [
      project("node", 1, { include: ["{client,components}/test/*.test.ts", "test/*.test.ts"], exclude: ["test/guide.test.ts"] }),
      project("guide", 2, { include: ["test/guide.test.ts"] }), // it counts, and others announce
      project("browser", 3, { include: ["test/browser/*.test.ts"], globalSetup: ["test/browser/chromium.setup.ts"] }),
    ],
  },
});
