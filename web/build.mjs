// Builds the packages and the demo page, and says how large they are. An application bundles
// socket.io-client and lit once, so they are left out of the packages.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { build } from "vite";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const external = [/^@notification-hub\//, /^socket\.io-client$/, /^lit(\/|$)/, /^react(\/|$)/];

for (const name of ["client", "components", "react"]) {
  await build({
    configFile: false, root: at(name), logLevel: "warn",
    build: {
      outDir: at(`${name}/dist`), emptyOutDir: true, target: "es2022", minify: "esbuild",
      lib: { entry: at(`${name}/src/index.ts`), formats: ["es"], fileName: () => "index.js" },
      rollupOptions: { external },
    },
  });
  await promisify(execFile)(at("node_modules/.bin/tsc"), ["-p", at(name)]);
}
await build({ configFile: at("vite.config.ts"), logLevel: "warn" });
await build({ // behind the demo page, whose build empties the folder
  configFile: false, root: at("docs"), base: "/docs/", logLevel: "warn",
  build: { outDir: at("dist/docs"), emptyOutDir: true, target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
});
for (const name of ["client", "components", "react"]) {
  const code = await readFile(at(`${name}/dist/index.js`));
  const [all, gzipped] = [code.length, gzipSync(code).length].map((bytes) => `${(bytes / 1024).toFixed(1)} KB`);
  console.log(`${name.padEnd(10)} ${all}, ${gzipped} gzipped`);
}
