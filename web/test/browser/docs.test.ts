/** The page `/docs`: reads both documents, and speaks with the hub that serves it. */
import type { Locator, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import type { AsyncApi, Query } from "../../docs/documents";
import type { Schema } from "../../docs/schema";
import { tooWide, violations } from "./use";
import { hub, openBrowser, shows, somebody } from "./pages";

/** `change`: what another hub would say in its document. */
async function openDocs(options: Parameters<typeof openBrowser>[0] = {}, change?: (document: AsyncApi) => void): Promise<Page> {
  const page = await (await openBrowser(options)).newPage();
  if (change) {
    await page.route("**/asyncapi.json", async (route) => {
      const document = (await (await route.fetch()).json()) as AsyncApi;
      change(document);
      await route.fulfill({ json: document });
    });
  }
  await page.goto(`${hub.url}/docs`);
  await page.getByRole("heading", { name: "Socket.IO, namespace /", exact: true }).waitFor();
  return page;
}

/** A field by its name, with all that is said of it. */
const field = (place: Locator, name: string): Locator => place.locator("dl.fields > div", { has: place.page().locator(`> dt > code:text-is("${name}")`) });

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

test("where the live doors are is shown, with what goes into the address and who is let in", async () => {
  const page = await openDocs();
  for (const door of ["websocket", "sse"]) {
    const place = page.locator(`#channel-${door} .place`);
    await shows(place.locator(".facts"), `://{host}/v1/{kind}/{jobId}/progress`);
    await shows(place.locator(".facts"), "Authorization: Bearer <JWT>");
    await shows(field(place, "kind"), '"generation-jobs" | "team-executions" | "jobs"');
    for (const name of ["jobId", "v", "epoch", "offset"]) await shows(field(place, name));
    await shows(place, "ticket");
  }
  for (const [key, namespace] of [["main", "/"], ["admin", "/admin"]]) {
    const facts = page.locator(`#channel-${key} .facts`);
    await shows(facts, "http://{host}/socket.io/");
    await shows(facts.locator("dd").getByText(namespace!, { exact: true }));
    await shows(facts, "auth: {token}");
  }
  await shows(page.locator("#channel-journal .facts"), "hub:{partition}:journal");
  await shows(page.locator("#http-getLiveness .security"), "open to all");
  await shows(page.locator("#http-getJobProgress .security"), /Authorization: Bearer <JWT> or \?ticket=…/);
});

test.each<[string, (schema: Schema) => Query]>([
  ["a reference", () => ({ $ref: "#/components/schemas/LiveQuery" })],
  ["parts", ({ properties, ...rest }) => ({ allOf: [rest, { properties: properties! }] })],
  ["parameters", ({ properties }) => Object.entries(properties!).map(([name, schema]) => ({ name, schema }))],
  ["a schema for each", ({ properties }) => properties!],
])("the query of a live door is read as %s", async (_, given) => {
  const page = await openDocs({}, (document) => {
    const query: Schema = { type: "object", properties: { v: { enum: [1] }, offset: { type: "integer", minimum: 0 }, ticket: { type: "string" } } };
    document.components.schemas.LiveQuery = query;
    document.channels.sse!["x-query"] = given(query);
    delete document.channels.websocket!["x-query"];
    document.channels.websocket!.bindings = { ws: { query: given(query) } };
  });
  for (const door of ["websocket", "sse"]) {
    const place = page.locator(`#channel-${door} .place`);
    for (const name of ["v", "ticket"]) await shows(field(place, name));
    await shows(field(place, "offset"), /integer\s+≥ 0/);
  }
});

test("each alternative of a value can be opened", async () => {
  const page = await openDocs();
  const open = async (place: string, part: string, name: string, alternative: string): Promise<Locator> => {
    await page.locator(`${place} > details > summary`, { hasText: part }).click();
    const found = field(page.locator(place), name).locator("> dd > details", { has: page.locator(`> summary > code:text-is("${alternative}")`) });
    await found.locator("> summary").click();
    return found;
  };
  await shows(field(await open("#http-publish", "Takes", "items", "JobStarted"), "projectId"));
  await shows(page.locator("#http-publish summary", { hasText: "TopicEvent" }), 'kind: "EVENT"');
  await shows(field(await open("#http-listJobEvents", "Answers 200", "events", "JobFailedEvent"), "data"), "Failure");
  await shows(field(await open("#live-adminBroadcast", "Takes", "to", "ToTopic"), "topic"));
});

test("refusals say their status over HTTP, and what closes a live door", async () => {
  const page = await openDocs();
  const table = async (article: string): Promise<string[]> => {
    await page.locator(`${article} > details > summary`, { hasText: "Refusals" }).click();
    return page.locator(`${article} tr`).evaluateAll((rows) => rows.map((row) => [...(row as HTMLTableRowElement).cells].map((cell) => cell.textContent).join(" | ")));
  };
  const http = await table("#http-getJobProgress");
  expect(http[0]).toBe("status | code | meaning");
  expect(http).toContain("404 | JOB_NOT_FOUND | there is no such job");
  const live = await table("#live-subscribe");
  expect(live[0]).toBe("code | close code | meaning");
  expect(live).toContain("JOB_NOT_FOUND | 4504 | there is no such job");
});

test("limits and rules of fields, and the headers of answers are shown", async () => {
  const page = await openDocs();
  const part = async (article: string, title: string): Promise<Locator> => {
    const found = page.locator(`${article} > details`, { has: page.locator("> summary", { hasText: title }) }).first();
    await found.locator("> summary").click();
    return found;
  };
  const inbox = await part("#http-listNotifications", "Parameters");
  await shows(field(inbox, "limit"), "integer 1–100, default 20");
  await shows(field(inbox, "filter"), '"ALL" | "DISMISSED" | "UNREAD", default "ALL"');
  const publish = await part("#http-publish", "Takes");
  await shows(field(publish, "items"), "1–500 items");
  await publish.locator("summary", { hasText: "JobStarted" }).click();
  await shows(field(publish, "id"), "string uuid");
  await shows(field(publish, "projectId"), "matches ^[A-Za-z0-9]");
  await shows(field(await part("#live-adminKick", "Takes"), "message"), "string 1–500 characters | null");
  for (const [command, rule] of Object.entries({
    adminKick: "exactly one of userId, sid, jobId", adminRevoke: "exactly one of userId, jti",
    adminTrace: "exactly one of notificationId, eventId", adminTail: "exactly one of userId, jobId, sid",
  })) {
    if (command !== "adminKick") await part(`#live-${command}`, "Takes");
    await shows(page.locator(`#live-${command} .rule`), rule);
  }
  const answer = await part("#http-getJobProgress", "Answers 200 The");
  for (const header of ["ETag", "Poll-Interval"]) await shows(field(answer, header));
  await shows((await part("#http-getReadiness", "Answers 503")).locator("dl"), "dependencies");
});

test("all names of an operation are in its heading and in the contents", async () => {
  const page = await openDocs();
  for (const [id, label] of [["inform", "→ hello, reset, token-expiring, closing"], ["streamOverSse", "→ event, RESET, closing, end"]]) {
    await shows(page.locator(`#live-${id} h3 code`), label);
    await shows(page.locator(`#contents a[href="#live-${id}"]`), label);
  }
});

test("the contents show where the reader is", async () => {
  const page = await openDocs();
  for (const id of ["http-publish", "live-subscribe"]) {
    await page.locator(`#${id}`).evaluate((article) => article.scrollIntoView());
    await page.locator(`#contents a[href="#${id}"][aria-current]`).waitFor();
    await expectInView(page.locator("#contents [aria-current]"));
  }
});

/** The panel, connected as somebody, with what suits `channel` written. */
async function tryOut(page: Page, channel: string): Promise<Locator> {
  const log = page.locator("#try-log");
  await page.locator("#try-user").fill(somebody("ana"));
  await page.locator("#try-channel").fill(channel);
  await page.getByRole("button", { name: "Write publications" }).click();
  await page.locator("#try-mint").click();
  await page.locator("#try-connect:enabled").click();
  await shows(log, "hello");
  return log;
}

test("a job that is published is followed, and another one each time again", async () => {
  const page = await openDocs();
  const channel = `job:${somebody("try")}`;
  const log = await tryOut(page, channel);
  const ended = (name: string): Locator => log.locator("li.came pre", { hasText: "JOB_COMPLETED" }).filter({ hasText: name });
  await page.locator("#try-publish:enabled").click();
  await ended(`"${channel}"`).first().waitFor({ state: "attached" });
  await page.locator("#try-publish").click();
  await shows(log.locator("li.note"), "all of it was published before");
  for (const again of [`${channel}-2`, `${channel}-3`]) {
    await page.getByRole("button", { name: "Write publications" }).click();
    await shows(log.locator("li.note"), again);
    expect(await page.locator("#try-channel").inputValue()).toBe(again);
    await page.locator("#try-publish").click();
    await ended(`"${again}"`).first().waitFor({ state: "attached" });
  }
});

test("what is written for a topic is an event on it", async () => {
  const page = await openDocs();
  const channel = `topic:${somebody("team")}`;
  const log = await tryOut(page, channel);
  await page.locator("#try-subscribe").click();
  await shows(log.locator("li.came"), "answer to subscribe");
  await page.locator("#try-publish").click();
  await log.locator("li.came", { hasText: "TRY_IT" }).locator("summary").click();
  await shows(log.locator("pre"), `"channel": "${channel}"`);
});

test("the panel speaks the newest version that the document names", async () => {
  const page = await openDocs({}, ({ info }) => info["x-contract"].push(7));
  const log = page.locator("#try-log");
  await page.locator("#try-mint").click();
  await page.locator("#try-publish:enabled").click();
  await log.locator("li.failed", { hasText: "POST /v1/publish 400" }).locator("summary").click();
  await shows(log.locator("pre"), "UNSUPPORTED_VERSION");
  await page.locator("#try-connect").click();
  await log.locator("li.failed", { hasText: "connect_error" }).locator("summary").click();
  await shows(log.locator("li", { hasText: "connect_error" }).locator("pre"), "UNSUPPORTED_VERSION");
});

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test("axe-core finds nothing serious", async () => {
    const page = await openDocs({ colorScheme });
    await page.locator("article#live-subscribe summary").first().click();
    await oneSection(page);
    expect(await violations(page)).toEqual([]);
  });
});

describe("360 pixels", () => {
  const narrow = { viewport: { width: 360, height: 740 } };

  test("are enough, whatever is opened", async () => {
    const page = await openDocs(narrow);
    expect(await tooWide(page)).toBe(0);
    await page.locator("main details").evaluateAll((all) => all.forEach((each) => each.setAttribute("open", "")));
    expect(await tooWide(page)).toBe(0);
  });

  test("have the documents first, and contents and panel in reach of the keyboard", async () => {
    const page = await openDocs(narrow);
    const heading = page.getByRole("heading", { name: "Socket.IO, namespace /", exact: true });
    await expectInView(heading);
    const [links, panel] = [page.locator("#contents"), page.locator("#try")];
    expect([await links.isVisible(), await panel.isVisible()]).toEqual([false, false]);
    await page.locator("summary", { hasText: "Contents" }).press("Enter");
    await links.locator('a[href="#http-publish"]').press("Enter");
    await links.waitFor({ state: "hidden" });
    await expectInView(page.locator("#http-publish h3"));
    const tryIt = page.locator("summary", { hasText: "Try it" });
    await expectInView(tryIt);
    await tryIt.press("Enter");
    await panel.waitFor();
    await page.locator("#try-user").press("Escape");
    await panel.waitFor({ state: "hidden" });
    await tryIt.press("Enter");
    await page.locator("summary", { hasText: "Contents" }).click();
    await panel.waitFor({ state: "hidden" });
    expect(await tooWide(page)).toBe(0);
  });

  test.each(["Contents", "Try it"])("are used by axe-core as well: %s", async (name) => {
    const page = await openDocs(narrow);
    await page.locator("summary", { hasText: name }).click();
    await oneSection(page);
    expect(await violations(page)).toEqual([]);
  });
});

/** One section is as the others are, and there are many. */
const oneSection = (page: Page): Promise<void> =>
  page.evaluate(() => document.querySelectorAll("main section ~ section, #contents > ul > li ~ li").forEach((each) => each.remove()));

async function expectInView(place: Locator): Promise<void> {
  const { y, height } = (await place.boundingBox())!;
  expect([y >= 0, y + height <= place.page().viewportSize()!.height]).toEqual([true, true]);
}
