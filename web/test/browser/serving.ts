/** Pages of a test, from where the hub is and with its policy for pages. */
import type { BrowserContext } from "playwright-core";
import { build, type Rollup } from "vite";
import { alias } from "../../vite.config";

const TYPES: Record<string, string> = { html: "text/html", js: "text/javascript", css: "text/css", svg: "image/svg+xml" };

/** What is served, by its path. */
export type Files = Map<string, string | Uint8Array>;

/** The pages of a folder, built to be served below `base`. */
export async function built(root: string, base: string, pages: string[]): Promise<Files> {
  const module = (name: string): string => new URL(`../../node_modules/${name}`, import.meta.url).pathname;
  const { output } = (await build({
    configFile: false, root, base, logLevel: "warn", esbuild: { jsx: "automatic" },
    resolve: { alias: { ...alias, react: module("react"), "react-dom": module("react-dom") } },
    build: {
      write: false, target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0,
      rollupOptions: { input: pages.map((page) => `${root}/${page}`) },
    },
  })) as Rollup.RollupOutput;
  return new Map(output.map((file) => [base + file.fileName, file.type === "chunk" ? file.code : file.source]));
}

/** Has the browser find them below `base` of the hub. */
export async function serve(context: BrowserContext, url: string, base: string, files: Files): Promise<void> {
  const page = await fetch(url);
  // a page that no server gave is to Chromium one of the Internet, which may not reach this machine
  await context.grantPermissions(["local-network-access"], { origin: url });
  const policy = page.headers.get("Content-Security-Policy")!;
  await context.route(`${url}${base}**`, (route) => {
    const path = new URL(route.request().url()).pathname;
    const body = files.get(path);
    if (body === undefined) return route.fulfill({ status: 404 });
    const headers = { "Content-Type": TYPES[path.split(".").at(-1)!] ?? "text/plain", "Content-Security-Policy": policy };
    return route.fulfill({ body: typeof body === "string" ? body : Buffer.from(body), headers });
  });
}
