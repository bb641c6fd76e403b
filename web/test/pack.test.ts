/** What `npm install ./web/client` and the like give to somebody: built by `npm run build`. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const WEB = new URL("..", import.meta.url).pathname;
const PACKAGES = ["client", "components", "react"];
const run = promisify(execFile);
let place: string; // below web/, where the packages that ours need are found

beforeAll(async () => {
  await mkdir(join(WEB, "node_modules/.cache"), { recursive: true });
  place = await mkdtemp(join(WEB, "node_modules/.cache/pack-"));
  await writeFile(join(place, "package.json"), '{ "type": "module" }');
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** Packs and unpacks a package, as npm would; gives the names of its files. */
async function install(name: string): Promise<string[]> {
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", place], { cwd: join(WEB, name) });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  const to = join(place, "node_modules/@notification-hub", name);
  await mkdir(to, { recursive: true });
  await run("tar", ["-xzf", join(place, filename), "--strip-components=1", "-C", to]);
  return files.map(({ path }) => path);
}

test("the packages hold what they export, with its types, and nothing else", async () => {
  const packed = await Promise.all(PACKAGES.map(async (name) => [name, await install(name)] as const));
  for (const [name, files] of packed) {
    expect(files.filter((path) => !/^(package\.json|README\.md|dist\/index\.js|dist\/[\w.-]+\.d\.ts)$/.test(path))).toEqual([]);
    const { exports } = JSON.parse(await readFile(join(WEB, name, "package.json"), "utf8")) as { exports: Record<string, Record<string, string>> };
    for (const path of Object.values(exports).flatMap((each) => Object.values(each))) expect(files).toContain(posix.normalize(path));
    for (const path of files.filter((each) => each.endsWith(".d.ts"))) {
      const text = await readFile(join(WEB, name, path), "utf8");
      for (const [, used] of text.matchAll(/from "(\.[^"]+)"/g)) expect(files).toContain(`${posix.join(posix.dirname(path), used!)}.d.ts`);
    }
  }
});

test("they are imported by their names, by Node and by TypeScript", async () => {
  await writeFile(join(place, "use.mjs"), 'import { createHub } from "@notification-hub/client";\nimport { useInbox } from "@notification-hub/react";\nconsole.log(typeof createHub, typeof useInbox);\n');
  expect((await run("node", ["use.mjs"], { cwd: place })).stdout).toBe("function function\n");
  await writeFile(join(place, "use.ts"), `
    import { createHub, type HubClient, type JobState } from "@notification-hub/client";
    import { HubBell, setHub } from "@notification-hub/components";
    import { useJobProgress } from "@notification-hub/react";
    const hub: HubClient = createHub({ token: async () => "t" });
    setHub(hub);
    const open: boolean = new HubBell().open;
    export const show = (): JobState => useJobProgress("j");
    // @ts-expect-error: a token is needed
    createHub({});
    export { open };
  `);
  const options = ["--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--skipLibCheck", "--types", "node", "use.ts"];
  const { stdout } = await run(join(WEB, "node_modules/.bin/tsc"), options, { cwd: place }).catch((error: { stdout: string }) => error);
  expect(stdout).toBe("");
});
