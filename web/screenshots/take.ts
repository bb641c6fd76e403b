/** Pictures of every page and component, in light and in dark, of a hub that is started for it. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { serveBrowser } from "../test/browser";
import { openGallery, publishJobs, publishNotes } from "../test/browser/gallery";
import { publishSample } from "../test/browser/console";
import { startHub, startNode, Worker } from "../test/hub";
import { consolePictures } from "./console";

const COMPONENTS = ["badge", "connection", "progress", "inbox", "bell", "toasts"];
const WIDE = { width: 1200, height: 900 };
const NARROW = { width: 360, height: 780 };

/** Writes the pictures to `folder`, as `NAME-light.png` and `NAME-dark.png`. */
export async function take(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const [hub, server] = await Promise.all([startHub(), serveBrowser()]);
  try {
    const browser = await chromium.connect(server.wsEndpoint());
    const worker = new Worker(hub);
    const THEMES = ["light", "dark"];
    const target = (theme: string) => (name: string): string => join(folder, `${name}-${theme}.png`);
    const [node, sample] = await Promise.all([startNode(hub), publishSample(hub, ["ana", "bruno", "davi", "elisa", "fabio", "gisele"])]);
    for (const theme of THEMES) await consolePictures(browser, hub, worker, sample, theme, target(theme));
    sample.end();
    await node.kill();
    for (const theme of THEMES) {
      const to = target(theme);
      await components(await context(browser, WIDE), hub.url, worker, theme, to);
      await demo(browser, hub.url, worker, theme, to);
      await docs(browser, hub.url, theme as "light" | "dark", to);
    }
  } finally {
    await server.close();
    await hub.stop();
  }
}

async function docs(browser: Browser, url: string, colorScheme: "light" | "dark", to: (name: string) => string): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme });
  await page.goto(`${url}/docs#live-subscribe`);
  await page.locator("article#live-subscribe summary").first().click();
  await page.locator("#try-mint").click();
  await page.locator("#try-connect:enabled").click();
  await page.locator("#try-log li", { hasText: "hello" }).waitFor();
  await page.screenshot({ path: to("docs") });
  await page.context().close();
}

function context(browser: Browser, viewport: { width: number; height: number }): Promise<BrowserContext> {
  return browser.newContext({ viewport, locale: "en-GB", reducedMotion: "reduce" });
}

async function components(browser: BrowserContext, url: string, worker: Worker, theme: string, to: (name: string) => string): Promise<void> {
  const page = await openGallery(browser, url, worker, `ana-${theme}`, { theme });
  for (const name of COMPONENTS) await page.locator(`section#${name}`).screenshot({ path: to(name) });
  await browser.close();
}

async function demo(browser: Browser, url: string, worker: Worker, theme: string, to: (name: string) => string): Promise<void> {
  const people = { left: "Ana", right: "Bruno" };
  const [running, , , team] = await publishJobs(worker, "somebody");
  const open = async (viewport: { width: number; height: number }, more: Record<string, string>, hash = ""): Promise<Page> => {
    const page = await (await context(browser, viewport)).newPage();
    const query = new URLSearchParams({ ...people, job: running!.id, team: team!.id, theme, lang: "en", ...more });
    await page.goto(`${url}/?${query}#/${hash}`);
    await page.locator("hub-connection", { hasText: /Live|Ao vivo/ }).nth(1).waitFor();
    return page;
  };
  if (theme === "light") for (const user of Object.values(people)) await publishNotes(worker, user);
  const wide = await open(WIDE, {});
  for (const part of [".open >> nth=1", "hub-inbox li >> nth=3"]) await wide.locator(part).waitFor();
  await running!.event("SCENARIO_COMPLETED", { scenarioId: "s9", featureId: "f1", featureName: "Autenticação", title: "Recuperar a senha por e-mail", stepsCount: 6 });
  await wide.locator(".counts >> nth=1").filter({ hasText: "5/6" }).waitFor();
  await wide.screenshot({ path: to("demo") });
  await wide.context().close();

  const other = await open(WIDE, {}, "other");
  await other.locator("hub-bell .count").first().waitFor();
  await worker.publish({
    kind: "NOTIFICATION", to: { users: [people.left] }, type: "job.failed", severity: "ERROR",
    title: "Geração falhou", body: "O modelo não respondeu dentro de 5 minutos.", link: "/#/jobs/1",
  });
  await other.locator("hub-toasts article").waitFor();
  await other.screenshot({ path: to("other") });
  await other.context().close();

  const narrow = await open(NARROW, { lang: "pt-BR" });
  await narrow.locator("hub-job-progress .open").first().waitFor();
  await narrow.screenshot({ path: to("narrow") });
  await narrow.context().close();
}
