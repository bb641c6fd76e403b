/** What following.md and frontend.md show for a browser is what works in one. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { io } from "socket.io-client";
import { beforeAll, expect, test } from "vitest";
import { blocks, filled } from "../guides";
import { mint, Worker } from "../hub";
import { hub, openBrowser, shows, somebody } from "./pages";
import { built, type Files, serve } from "./serving";

const BASE = "/guide/";
const HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Guide</title>';
const worker = new Worker(hub);
const [byWebSocket, byEventSource] = (await blocks("following.md", "js", 6)).slice(4) as [string, string];
const [html] = await blocks("frontend.md", "html", 1);
const [css] = await blocks("frontend.md", "css", 1);
const [jsx] = await blocks("frontend.md", "jsx", 1);
const jobId = randomUUID();

let files: Files;
beforeAll(async () => {
  const root = await mkdtemp(join(tmpdir(), "hub-guide-"));
  const pages = {
    "blank.html": HEAD,
    "elements.html": `${HEAD}<link rel="stylesheet" href="./theme.css"><body>${html!.replace("550e8400-…", jobId)}</body>`,
    "theme.css": css!,
    "react.html": `${HEAD}<body><main></main><script type="module" src="./react.jsx"></script></body>`,
    "react.jsx": `import { createRoot } from "react-dom/client";\n${jsx}\ncreateRoot(document.querySelector("main")).render(<Page />);`,
  };
  await Promise.all(Object.entries(pages).map(([name, text]) => writeFile(join(root, name), text)));
  files = await built(root, BASE, Object.keys(pages).filter((name) => name.endsWith(".html")));
  await rm(root, { recursive: true });
});

/** A page at the hub. `given`: global variables. */
async function open(name: string, given: Record<string, string>): Promise<Page> {
  const context = await openBrowser();
  await serve(context, hub.url, BASE, files);
  await context.addInitScript((all) => void Object.assign(window, all), given);
  const page = await context.newPage();
  await page.goto(`${hub.url}${BASE}${name}`);
  return page;
}

/** Where code of a page tells what it is given. */
class Told {
  readonly #all: [name: string, value: unknown][] = [];
  #waiting: (() => void)[] = [];
  readonly tell = (name: string, value: unknown): void => {
    this.#all.push([name, value]);
    for (const look of this.#waiting.splice(0)) look();
  };

  /** Resolves with the first that is told by this name. */
  async first(name: string): Promise<Record<string, string>> {
    for (;;) {
      const found = this.#all.find(([each]) => each === name);
      if (found) return found[1] as Record<string, string>;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

const run = (page: Page, code: string): Promise<unknown> => page.evaluate(`(async () => {\n${code}\n})()`);

async function ended(): Promise<string> {
  const job = await worker.job().start(1);
  await job.scenarios(1);
  await job.complete();
  return job.id;
}

test("a ticket opens a WebSocket, which gives the job's events and closes after the last", async () => {
  const page = await open("blank.html", { token: mint(hub.secret, somebody("ana")), id: await ended(), wsUrl: hub.url.replace("http", "ws") });
  const got = await run(page, `${byWebSocket}
    const types = [];
    socket.onmessage = ({ data }) => types.push(JSON.parse(data).type);
    return await new Promise((resolve) => (socket.onclose = ({ code }) => resolve([code, types])));`);
  expect(got).toEqual([1000, ["JOB_STATUS_CHANGED", "SCENARIO_COMPLETED", "JOB_COMPLETED"]]);
});

test("an EventSource gives the job's events, and ends when it has them all", async () => {
  const told = new Told();
  const page = await open("blank.html", { token: mint(hub.secret, somebody("ana")), id: await ended() });
  await page.exposeFunction("tell", told.tell);
  const ticket = byWebSocket.split("\n")[0];
  await run(page, `${ticket}\n${filled(byEventSource)}
    source.addEventListener("end", () => tell("end", source.readyState === EventSource.CLOSED));`);
  const { data, lastEventId } = await told.first("SCENARIO_COMPLETED");
  const { type, epoch, offset } = JSON.parse(data!) as Record<string, unknown>;
  expect([type, lastEventId]).toEqual(["SCENARIO_COMPLETED", `${epoch}:${offset}`]);
  expect(await told.first("end")).toBe(true);
});

test("an EventSource is told where it has to begin anew, and why the hub ends it", async () => {
  const told = new Told();
  const user = somebody("ana");
  const page = await open("blank.html", { token: mint(hub.secret, user), id: (await worker.job().start(1)).id });
  await page.exposeFunction("tell", told.tell);
  const ticket = byWebSocket.split("\n")[0];
  await run(page, `${ticket}\n${filled(byEventSource.replace("?ticket", "?epoch=another&offset=1&ticket"))}`);
  const { snapshot } = JSON.parse((await told.first("RESET")).data!) as { snapshot: Record<string, unknown> };
  expect(snapshot.status).toBe("GENERATING");
  const admin = io(`${hub.url}/admin`, { auth: { token: mint(hub.secret, "root", { roles: ["admin"] }) } });
  await admin.emitWithAck("kick", { userId: user, banSeconds: 60 });
  admin.disconnect();
  const closing = JSON.parse((await told.first("closing")).data!) as object;
  expect(closing).toMatchObject({ code: "BANNED", message: expect.any(String), reconnect: false, retryAfter: 60 });
});

test("the elements show what there is, in the colours of the page", async () => {
  const user = somebody("ana");
  const job = await worker.job(jobId).start(2);
  await job.scenarios(1);
  await worker.notify([user], "one");
  const page = await open("elements.html", { token: mint(hub.secret, user) });
  await shows(page.locator("hub-job-progress .counts"), "1/2");
  await shows(page.locator("hub-inbox li"), "one");
  await shows(page.locator("hub-connection"), "Live");
  await shows(page.locator("hub-status-badge"), "Generating");
  await page.getByRole("button", { name: "Notifications, 1 unread" }).waitFor();
  await worker.notify([user], "two");
  await shows(page.locator("hub-toasts article"), "two");
  const radius = await page.locator("hub-toasts article").first().evaluate((each) => getComputedStyle(each).borderRadius);
  expect(radius).toBe("6px");

  const react = await open("react.html", { token: mint(hub.secret, user), jobId });
  await shows(react.locator("main p"), "online: GENERATING, 50 %, 2 unread");
});
