/** The console in a browser, and something for it to show. */
import { randomUUID } from "node:crypto";
import type { BrowserContext, Locator, Page } from "playwright-core";
import { io, type Socket } from "socket.io-client";
import { type Facts, mint, Worker } from "../hub";
import { publishJobs } from "./gallery";

export const VIEWS = ["overview", "connections", "access", "broadcast", "jobs", "trace", "tail", "dead", "audit"] as const;
export type View = (typeof VIEWS)[number];

export interface ConsoleOptions {
  url: string;
  /** Default: it is not signed in. */
  token?: string;
  /** With its query, as `trace?id=…`. */
  view?: string;
  theme?: string;
  lang?: string;
}

/** Opens the console, signed in by what the tab remembers when there is a token. */
export async function openConsole(context: BrowserContext, { url, token, view = "", theme = "light", lang = "en" }: ConsoleOptions): Promise<ConsolePage> {
  const page = await context.newPage();
  await page.addInitScript(([given, look, language]) => {
    if (given) sessionStorage.setItem("hub-console-token", given);
    localStorage.setItem("hub-console-theme", look!);
    localStorage.setItem("hub-console-lang", language!);
  }, [token ?? "", theme, lang]);
  await page.goto(`${url}/console#/${view}`);
  const found = new ConsolePage(page);
  if (token) await found.live();
  return found;
}

export class ConsolePage {
  readonly page: Page;
  readonly heading: Locator;
  readonly rows: Locator;
  readonly notes: Locator;
  readonly dialog: Locator;

  constructor(page: Page) {
    this.page = page;
    this.heading = page.getByRole("heading", { level: 1 });
    this.rows = page.locator("tbody tr:not(.detail)");
    this.notes = page.locator(".notes p");
    this.dialog = page.locator("console-dialog[open]");
  }

  /** Waits until it is connected. */
  live(): Promise<void> {
    return this.page.locator("header [role=status]", { hasText: /Live|Ao vivo|En vivo/ }).waitFor();
  }

  /** Goes to a view by its address. */
  async go(view: string): Promise<void> {
    await this.page.evaluate((to) => (location.hash = `#/${to}`), view);
    await this.page.locator(`console-${view.split("?")[0]} h1`).waitFor();
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole("button", { name, exact: typeof name === "string" });
  }

  row(text: string | RegExp): Locator {
    return this.rows.filter({ hasText: text });
  }

  /** Waits until `text` is said of what was done. */
  says(text: string | RegExp): Promise<void> {
    return this.notes.filter({ hasText: text }).first().waitFor();
  }
}

/** Waits until the view has what it shows. */
export async function settled(page: Page, view: View): Promise<void> {
  await page.locator(`console-${view} h1`).waitFor();
  if (view === "overview") await page.locator("console-overview tbody tr").first().waitFor();
  else if (["connections", "jobs", "dead"].includes(view)) await page.locator(`console-${view} tbody tr`).first().waitFor();
  if (view === "audit") await page.locator('console-audit section[aria-busy="false"]').waitFor();
  if (view === "trace") await page.locator("console-trace .way").waitFor();
}

/** A stock client; resolves once it was sent `ready`. */
export async function connect(url: string, token: string, channels: string[] = [], ready = "hello"): Promise<Socket> {
  const socket = io(url, { auth: { token }, transports: ["websocket"], forceNew: true });
  await new Promise<void>((resolve, reject) => socket.once(ready, () => resolve()).once("connect_error", reject));
  for (const channel of channels) await socket.emitWithAck("subscribe", { channel });
  return socket;
}

export interface Sample {
  jobs: string[];
  /** A notification of `user`. */
  notification: string;
  user: string;
  end(): void;
}

/** Publishes jobs, a notification and two dead letters, and connects some people. */
export async function publishSample(hub: Facts, people: string[]): Promise<Sample> {
  const worker = new Worker(hub);
  const user = people[0]!;
  const jobs = await publishJobs(worker, user);
  const sockets = await Promise.all(people.map((each, index) => connect(hub.url, mint(hub.secret, each), jobs.slice(0, index % 3).map(({ id }) => `job:${id}`))));
  const notification = randomUUID();
  await worker.publish({ id: notification, kind: "NOTIFICATION", to: { users: [user] }, type: "team.updated", title: "Equipe atualizada", body: "…" });
  await jobs[1]!.event("SCENARIO_COMPLETED", { scenarioId: "late", featureId: "f1", featureName: "Autenticação", title: "Depois do fim", stepsCount: 3 });
  await worker.publish({ kind: "JOB", jobId: `nobody-${randomUUID().slice(0, 8)}`, type: "JOB_COMPLETED", data: { passed: 1, failed: 0 } });
  return { jobs: jobs.map(({ id }) => id), notification, user, end: () => sockets.forEach((socket) => socket.disconnect()) };
}
