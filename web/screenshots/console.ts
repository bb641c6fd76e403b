/** Pictures of the console. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import { connect, openConsole, type Sample, settled, VIEWS } from "../test/browser/console";
import { type Facts, mint, type Worker } from "../test/hub";

const ROOT = new URL("../..", import.meta.url).pathname;
const WIDE = { width: 1360, height: 900 };
const NARROW = { width: 360, height: 780 };

/** Gives the charts a past. */
export async function fillHistory(hub: Facts): Promise<void> {
  await promisify(execFile)(`${ROOT}.venv/bin/python`, ["web/screenshots/history.py", hub.redisUrl], { cwd: ROOT, env: { ...process.env, PYTHONPATH: ROOT } });
}

/** Has somebody do what administrators do. */
async function act(hub: Facts, sample: Sample): Promise<void> {
  const socket = await connect(`${hub.url}/admin`, mint(hub.secret, "carla", { roles: ["admin"] }), [], "connect");
  const acts: [string, unknown][] = [
    ["broadcast", { title: "Maintenance tonight", body: "From 22:00 to 22:15 UTC jobs are paused.", severity: "WARNING", to: { users: ["ana", "bruno"] }, persist: true }],
    ["kick", { userId: "heitor", banSeconds: 3600, message: "Please write to support" }], ["unban", { userId: "heitor" }],
    ["kick", { jobId: sample.jobs[2] }], ["revoke", { userId: "ivo" }], ["dead:replay", { ids: ["03:1795786221866-0"] }], ["kick", {}],
  ];
  for (const [name, payload] of acts) await socket.emitWithAck(name, payload);
  socket.disconnect();
}

/** Every view, the login, the dialog, and two views on a narrow screen. */
export async function consolePictures(browser: Browser, hub: Facts, worker: Worker, sample: Sample, theme: string, to: (name: string) => string): Promise<void> {
  const token = mint(hub.secret, "carla", { roles: ["admin"] });
  const open = async (viewport: { width: number; height: number }, view: string, given = token): ReturnType<typeof openConsole> => {
    const context = await browser.newContext({ viewport, locale: "en-GB", reducedMotion: "reduce" });
    return openConsole(context, { url: hub.url, theme, view, ...(given ? { token: given } : {}) });
  };
  const out = await open(WIDE, "", "");
  await out.page.locator("console-login form").waitFor();
  await out.page.screenshot({ path: to("console-login") });
  await out.page.context().close();

  await fillHistory(hub);
  await act(hub, sample);
  const { page, ...found } = await open(WIDE, "overview");
  const wide = Object.assign(found, { page });
  for (const view of VIEWS) {
    await page.evaluate((hash) => (location.hash = hash), `#/${view}${{ trace: `?id=${sample.notification}`, tail: `?user=${sample.user}` }[view as string] ?? ""}`);
    await settled(page, view);
    if (view === "overview") {
      for (let beat = 0; beat < 30; beat++) { // some traffic, for as long as figures are of
        await worker.notify([sample.user], "A note");
        await page.waitForTimeout(150);
      }
    }
    if (view === "tail") {
      await page.locator("console-tail [role=status]", { hasText: "Watching" }).first().waitFor();
      while ((await page.locator("console-tail tbody tr", { hasText: "Stored" }).count()) < 2) { // workers hear of it within a second
        await worker.notify([sample.user], "A note");
        await page.waitForTimeout(400);
      }
    }
    if (view === "broadcast") {
      await page.getByLabel("Title").fill("Maintenance tonight");
      await page.getByLabel("Text", { exact: true }).fill("From 22:00 to 22:15 UTC jobs are paused. Nothing is lost.");
      await page.getByLabel("Warning").check();
    }
    await page.screenshot({ path: to(`console-${view}`), fullPage: view === "overview" });
  }
  await page.evaluate(() => (location.hash = "#/connections"));
  await settled(page, "connections");
  await page.getByRole("button", { name: /^Kick / }).first().click();
  await page.getByRole("dialog").filter({ visible: true }).waitFor();
  await page.screenshot({ path: to("console-kick") });
  await wide.page.context().close();

  const narrow = await open(NARROW, "overview");
  await settled(narrow.page, "overview");
  await narrow.page.screenshot({ path: to("console-narrow") });
  await narrow.page.evaluate(() => (location.hash = "#/connections"));
  await settled(narrow.page, "connections");
  await narrow.page.screenshot({ path: to("console-narrow-connections") });
  await narrow.page.context().close();
}
