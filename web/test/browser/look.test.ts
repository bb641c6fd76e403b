/** Whether everybody can use it: on narrow screens, in both colour schemes, with assistive technology. */
import { describe, expect, test } from "vitest";
import { Worker } from "../hub";
import { openGallery } from "./gallery";
import { hub, openBrowser, openDemo, somebody } from "./pages";
import { tooWide, violations } from "./use";

const worker = new Worker(hub);

describe.each(["light", "dark"])("%s", (theme) => {
  test("axe-core finds nothing serious on the demo page", async () => {
    const job = await worker.job().start(3);
    await job.scenarios(2);
    const { page, left } = await openDemo(await openBrowser(), { job: job.id, theme });
    await worker.notify([left.user], "A note");
    await left.counts(1);
    await left.sees(2, 3);
    await left.bell.click();
    await left.panel.locator("li").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole("link", { name: "Another page" }).click();
    await page.getByRole("heading", { name: "Some other page" }).waitFor();
    expect(await violations(page)).toEqual([]);
  });

  test("axe-core finds nothing serious in any component", async () => {
    const page = await openGallery(await openBrowser(), hub.url, worker, somebody("ana"), { theme });
    expect(await violations(page)).toEqual([]);
  });
});

describe("360 pixels", () => {
  const narrow = { viewport: { width: 360, height: 740 } };

  test.each(["en", "pt-BR"])("are enough for the demo page, in %s", async (lang) => {
    const job = await worker.job().start(3);
    await job.scenarios(2);
    const { page, left } = await openDemo(await openBrowser(narrow), { job: job.id, lang });
    await worker.notify([left.user], "A note with a title that is longer than a line of this screen is wide");
    await left.toasts.waitFor();
    await left.job.locator(".counts").filter({ hasText: "2/3" }).waitFor();
    expect(await tooWide(page)).toBe(0);
    await left.bell.click();
    await left.panel.locator("li").waitFor();
    expect(await tooWide(page)).toBe(0);
    const panel = (await left.panel.boundingBox())!;
    expect([panel.x >= 0, panel.x + panel.width <= 360]).toEqual([true, true]);
    await page.locator("nav a").last().click();
    await page.locator("main [data-page=other] h1").waitFor();
    expect(await tooWide(page)).toBe(0);
  });

  test.each(["en", "pt-BR", "es"])("are enough for every component, in %s", async (lang) => {
    const page = await openGallery(await openBrowser(narrow), hub.url, worker, somebody("ana"), { lang });
    expect(await tooWide(page)).toBe(0);
  });
});
