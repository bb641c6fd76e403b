// Builds the packages, the console and the demo page, and says how large they are.
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { build, runnerImport } from "vite";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const { module } = await runnerImport(at("vite.config.ts"), { configFile: false, logLevel: "warn" });

for (const name of ["client", "components", "react"]) {
  await build(module.library(name));
  await promisify(execFile)(at("node_modules/.bin/tsc"), ["-p", at(name)]);
}
await build({ configFile: at("vite.config.ts"), logLevel: "warn" });
for (const page of module.pages) await build(page);

async function say(name, ...files) {
  const parts = await Promise.all(files.map((file) => readFile(at(file))));
  const sum = (size) => `${(parts.reduce((bytes, part) => bytes + size(part), 0) / 1024).toFixed(1)} KB`;
  console.log(`${name.padEnd(10)} ${sum((part) => part.length)}, ${sum((part) => gzipSync(part).length)} gzipped`);
}
for (const name of ["client", "components", "react"]) await say(name, `${name}/dist/index.js`);
await say("console", ...(await readdir(at("dist/console/assets"))).map((file) => `dist/console/assets/${file}`));
