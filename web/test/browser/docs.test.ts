/** The page `/docs`: reads both documents, and speaks with the hub that serves it. */
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { tooWide, violations } from "./use";
import { hub, openBrowser, shows, somebody } from "./pages";

async function openDocs(options: Parameters<typeof openBrowser>[0] = {}): Promise<Page> {
  const page = await (await openBrowser(options)).newPage();
  await page.goto(`${hub.url}/docs`);
  await page.getByRole("heading", { name: "Socket.IO, namespace /", exact: true }).waitFor();
  return page;
}

test("everything of both documents is shown, with its example and its refusals", async () => {
  const page = await openDocs();
  type Documents = [{ operations: object }, { paths: Record<string, object> }];
  const [live, http] = await Promise.all(["asyncapi", "openapi"].map(async (name) => (await fetch(`${hub.url}/${name}.json`)).json())) as Documents;
  const all = Object.keys(live.operations).length + Object.values(http.paths).flatMap((methods) => Object.keys(methods)).length;
  expect(await page.locator("article").count()).toBe(all);
  const subscribe = page.locator("article#live-subscribe");
  await subscribe.getByText("Takes subscribe").click();
  await shows(subscribe.locator("dl"), "epoch");
  await shows(subscribe.locator("pre"), '"offset": 16');
  await subscribe.getByText("Refusals").click();
  await shows(subscribe.locator("td"), "TOO_MANY_CONNECTIONS");
});

test("a token, a subscription and a publication later the events are there", async () => {
  const page = await openDocs();
  const log = page.locator("#try-log");
  await page.locator("#try-user").fill(somebody("ana"));
  await page.locator("#try-channel").fill(`job:${somebody("try")}`);
  await page.getByRole("button", { name: "Write publications" }).click();
  await page.locator("#try-mint").click();
  await page.locator("#try-connect:enabled").click();
  await shows(log, "hello");
  await page.locator("#try-publish:enabled").click();
  await shows(log, "POST /v1/publish 202");
  for (;;) { // it can be followed once it is stored
    const before = await log.locator("li").count();
    await page.locator("#try-subscribe").click();
    await log.locator("li").nth(before + 1).waitFor();
    if (await log.locator("li.came", { hasText: "answer to subscribe" }).count()) break;
  }
  await page.getByRole("button", { name: "Write publications" }).click();
  await log.locator("li.came", { hasText: "answer to subscribe" }).locator("summary").click();
  await shows(log.locator("pre"), /SCENARIO_COMPLETED|"events"/);
});

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test("axe-core finds nothing serious", async () => {
    const page = await openDocs({ colorScheme });
    await page.locator("article#live-subscribe summary").first().click();
    // one section is as the others are, and there are many
    await page.evaluate(() => document.querySelectorAll("main section ~ section, #contents > ul > li ~ li").forEach((each) => each.remove()));
    expect(await violations(page)).toEqual([]);
  });
});

test("360 pixels are enough", async () => {
  expect(await tooWide(await openDocs({ viewport: { width: 360, height: 740 } }))).toBe(0);
});
