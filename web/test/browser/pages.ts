/** The pages that the stories are about, and what they show. Nothing here waits for longer than
 * `LIMIT`, and nothing waits for time alone. */
import { randomUUID } from "node:crypto";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, inject } from "vitest";
import { io, type Socket } from "socket.io-client";
import { mint } from "../hub";
import { overhearPages } from "../overheard";

const LIMIT = 20_000;

export const hub = inject("hub");
/** A user whom no other story knows. */
export const somebody = (name: string): string => `${name}-${randomUUID().slice(0, 8)}`;

/** Gives an administrator's command; resolves with the answer's data. */
export async function administer(name: string, payload: unknown): Promise<Record<string, unknown>> {
  const admin: Socket = io(`${hub.url}/admin`, { transports: ["websocket"], forceNew: true, auth: { token: mint(hub.secret, "root", { roles: ["admin"] }) } });
  try {
    const answer = (await admin.timeout(10_000).emitWithAck(name, payload)) as { ok: boolean; data: Record<string, unknown> };
    expect(answer).toMatchObject({ ok: true });
    return answer.data;
  } finally {
    admin.disconnect();
  }
}

let browser: Browser;
const contexts: BrowserContext[] = [];
const kept: BrowserContext[] = [];
const faults: string[] = [];

beforeAll(async () => {
  browser = await chromium.connect(inject("browser"));
});
afterAll(async () => {
  await Promise.all(kept.map((context) => context.close()));
  await browser.close();
});
afterEach(async () => {
  await Promise.all(contexts.splice(0).map((context) => context.close()));
  expect(faults.splice(0), "errors on the page").toEqual([]);
});

/** A browser of somebody: storage, locks and network of its own. `keep`: until the last test of the file. */
export async function openBrowser(options: BrowserContextOptions = {}, keep = false): Promise<BrowserContext> {
  const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1200, height: 900 }, reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(LIMIT);
  overhearPages(context);
  context.on("weberror", (fault) => faults.push(String(fault.error().stack)));
  context.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) faults.push(message.text());
  });
  (keep ? kept : contexts).push(context);
  return context;
}

export interface DemoAddress {
  job?: string;
  left?: string;
  right?: string;
  lang?: string;
  theme?: string;
  /** Where the hub is. */
  url?: string;
  /** `other`: the page that is not about jobs. */
  page?: "work" | "other";
}

/** The demo page with a job; both people are connected. */
export async function openDemo(context: BrowserContext, address: DemoAddress = {}): Promise<DemoPage> {
  const { url = hub.url, page: at = "work", ...rest } = address;
  const people = { left: somebody("ana"), right: somebody("bruno"), ...rest };
  const page = await context.newPage();
  await page.goto(`${url}/?${new URLSearchParams({ job: "none", ...people })}#/${at === "other" ? "other" : ""}`);
  const demo = new DemoPage(page, people.left, people.right);
  for (const person of [demo.left, demo.right]) await person.says(/Live|Ao vivo/);
  return demo;
}

export class DemoPage {
  readonly page: Page;
  readonly left: Person;
  readonly right: Person;

  constructor(page: Page, left: string, right: string) {
    this.page = page;
    this.left = new Person(page, left);
    this.right = new Person(page, right);
  }

  /** What the page counted itself: events that came, that are missing, that came twice. */
  async proof(): Promise<{ received: number; gaps: number; repeats: number }> {
    const number = async (id: string): Promise<number> => Number(await this.page.locator(`#${id}`).textContent());
    return { received: await number("received"), gaps: await number("gaps"), repeats: await number("repeats") };
  }
}

/** One of the two people on the page, with what they see. */
export class Person {
  readonly user: string;
  readonly scope: Locator;
  readonly job: Locator;
  readonly connection: Locator;
  readonly bell: Locator;
  readonly panel: Locator;
  readonly toasts: Locator;

  constructor(page: Page, user: string) {
    this.user = user;
    this.scope = page.locator(`hub-scope[data-user="${user}"]`);
    this.job = this.scope.locator("hub-job-progress").first();
    this.connection = this.scope.locator("hub-connection");
    this.bell = this.scope.locator("hub-bell button.bell");
    this.panel = this.scope.locator("hub-bell [role=dialog]");
    this.toasts = this.scope.locator("hub-toasts article");
  }

  /** Waits until the connection is shown as `text`. */
  says(text: string | RegExp): Promise<void> {
    return shows(this.connection, text);
  }

  /** Waits until the bell counts `count`. */
  counts(count: number): Promise<void> {
    return shows(this.scope.getByRole("button", { name: count ? `Notifications, ${count} unread` : "Notifications, nothing unread", exact: true }));
  }

  /** Waits until this many scenarios of the job are shown, as numbers and in the list. */
  async sees(done: number, all: number): Promise<void> {
    await shows(this.job.locator(".counts"), `${done}/${all}`);
    if (done) await shows(this.job.locator("li"), `Cenário ${done}`, { exact: true });
  }

  /** The scenarios in the list, in its order. */
  async listed(): Promise<string[]> {
    const rows = await this.job.locator("li span").allTextContents();
    return rows.filter((text) => text.startsWith("Cenário"));
  }
}

export const scenarios = (count: number): string[] => Array.from({ length: count }, (_, n) => `Cenário ${n + 1}`);

/** Waits until it is there, with this text in it. */
export async function shows(place: Locator, text?: string | RegExp, { exact = false } = {}): Promise<void> {
  if (exact) return place.getByText(String(text), { exact }).first().waitFor();
  await (text === undefined ? place : place.filter({ hasText: text })).first().waitFor();
}
