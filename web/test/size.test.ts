import { gzipSync } from "node:zlib";
import { build, type Rollup } from "vite";
import { expect, test } from "vitest";
import { library, pages } from "../vite.config";

test("the SDK is smaller than 15 KB, gzipped, without socket.io-client", async () => {
  const client = library("client");
  const built = (await build({ ...client, logLevel: "silent", build: { ...client.build, write: false } })) as Rollup.RollupOutput[];
  const [chunk, ...others] = built[0]!.output;
  expect(others).toEqual([]);
  expect(gzipSync(chunk!.code).length).toBeLessThan(15 * 1024);
  expect(chunk!.code).toMatch(/from ?"socket\.io-client"/);
});

test.each([["console", 85], ["docs", 40]])("the page %s is smaller than %d KB, gzipped, with all that it loads", async (name, most) => {
  const page = pages.find(({ base }) => base === `/${name}/`)!;
  const { output } = (await build({ ...page, logLevel: "silent", build: { ...page.build, write: false } })) as Rollup.RollupOutput;
  const sizes = output.map((file) => gzipSync(file.type === "chunk" ? file.code : file.source).length);
  expect(output.filter(({ type }) => type === "chunk")).toHaveLength(1);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(most * 1024);
});
