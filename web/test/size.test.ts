import { gzipSync } from "node:zlib";
import { build, type Rollup } from "vite";
import { expect, test } from "vitest";

test("the SDK is smaller than 15 KB, gzipped, without socket.io-client", async () => {
  const root = new URL("../client", import.meta.url).pathname;
  const built = (await build({
    configFile: false, root, logLevel: "silent",
    build: { write: false, target: "es2022", lib: { entry: `${root}/src/index.ts`, formats: ["es"] }, rollupOptions: { external: ["socket.io-client"] } },
  })) as Rollup.RollupOutput[];
  const [chunk, ...others] = built[0]!.output;
  expect(others).toEqual([]);
  expect(gzipSync(chunk!.code).length).toBeLessThan(15 * 1024);
  expect(chunk!.code).toContain('from "socket.io-client"');
});
