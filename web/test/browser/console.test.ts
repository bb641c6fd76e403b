/** What administrators do in the console, and what those concerned see of it. The console is on one
 * node, whoever is concerned on another. */
import { randomUUID } from "node:crypto";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Socket } from "socket.io-client";
import { mint, type Node, startNode, Worker } from "../hub";
import { connect, ConsolePage, openConsole, settled, VIEWS } from "./console";
import { administer, hub, openBrowser, openDemo, shows, somebody } from "./pages";
import { tooWide, violations } from "./use";

const worker = new Worker(hub);
const admin = (sub = "root"): string => mint(hub.secret, sub, { roles: ["admin"] });
const sockets: Socket[] = [];
let other: Node;

beforeAll(async () => {
  const start = async (): Promise<ConsolePage> => openConsole(await openBrowser({}, true), { url: hub.url, token: admin() });
  [other, desk] = await Promise.all([startNode(hub), start()]);
});
afterAll(() => other.kill());
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.disconnect();
});

let desk: ConsolePage;

/** The console of an administrator who is there all the time, at that view. */
async function open(view: string): Promise<ConsolePage> {
  await desk.page.evaluate(() => (location.hash = "#/broadcast")); // what it looks at is looked at anew
  await desk.go(view);
  return desk;
}

/** A stock client of that user, on the other node. */
async function client(user: string, channels: string[] = []): Promise<Socket> {
  const socket = await connect(other.url, mint(hub.secret, user), channels);
  sockets.push(socket);
  return socket;
}

/** Resolves with the payload of the next such event that `test` holds for. */
const next = <Payload>(socket: Socket, name: string, test: (payload: Payload) => boolean = () => true): Promise<Payload> =>
  new Promise((resolve) => socket.on(name, (payload: Payload) => test(payload) && resolve(payload)));

/** Waits until what has the focus is called `name`. */
async function focused(page: Page, name: string): Promise<void> {
  await page.waitForFunction((wanted) => {
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
    return (at?.getAttribute("aria-label") ?? at?.textContent?.trim()) === wanted;
  }, name);
}

describe("signing in", () => {
  test("is refused to a token that is wrong, and to who is no administrator, and each is told why", async () => {
    const { page } = await openConsole(await openBrowser(), { url: hub.url });
    for (const [token, told] of [
      ["nonsense", "does not know this token"], [mint("another secret, as long as it has to be", "root", { roles: ["admin"] }), "does not know this token"],
      [mint(hub.secret, "ana", { roles: ["user", "service"] }), "no administrator"], [mint(hub.secret, "root", { roles: ["admin"] }, -60), "expired"],
    ] as const) {
      await page.getByLabel("Admin token").fill(token);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").filter({ hasText: told }).waitFor();
    }
    await page.getByLabel("Admin token").fill("");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "Paste a token first" }).waitFor();
    expect(await page.evaluate(() => [sessionStorage.length, location.href.includes("token")])).toEqual([0, false]);
  });

  test("lasts over a reload, not over signing out, and the token is in no address", async () => {
    const seen = await openConsole(await openBrowser(), { url: hub.url });
    const { page } = seen;
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    page.on("websocket", (socket) => asked.push(socket.url()));
    const token = admin();
    await page.getByLabel("Admin token").fill(token);
    await page.keyboard.press("Enter");
    await seen.live();
    await seen.go("jobs");
    await page.evaluate(() => Object.assign(window, { same: true }));
    await page.reload();
    await seen.live();
    expect(await page.evaluate(() => "same" in window)).toBe(false);
    expect(await seen.heading.textContent()).toBe("Jobs");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Admin token").waitFor();
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    expect(asked.length).toBeGreaterThan(0);
    expect([...asked, page.url()].filter((url) => url.includes(token.slice(-20)) || url.includes("token="))).toEqual([]);
  });

  test("again with a new token before the old one expires keeps what is shown", async () => {
    const page = await openConsole(await openBrowser(), { url: hub.url, token: mint(hub.secret, "root", { roles: ["admin"] }, 61), view: "jobs" });
    await page.page.getByRole("button", { name: "Enter a new one" }).click();
    await page.page.getByLabel("Admin token").fill("nonsense");
    await page.page.keyboard.press("Enter");
    await page.page.getByRole("alert").filter({ hasText: "does not know" }).waitFor();
    await page.page.getByLabel("Admin token").fill(admin());
    await page.page.keyboard.press("Enter");
    await page.page.locator("console-jobs h1").waitFor();
    await page.live();
    expect(await page.page.getByRole("button", { name: "Enter a new one" }).count()).toBe(0);
  });
});

test("the overview has both nodes, and charts that begin before the page did", async () => {
  const began = Date.now();
  const { page, rows } = await openConsole(await openBrowser(), { url: hub.url, token: admin() });
  await rows.nth(1).waitFor();
  await shows(page.locator(".tile", { hasText: "Connections" }), /Connections\s*\d/);
  const chart = page.getByRole("group", { name: "Connections" });
  await chart.focus();
  const moment = async (): Promise<number> => {
    const text = (await chart.locator(".legend > span").last().textContent())!.trim();
    const [h, m, s] = text.split(":").map(Number);
    return new Date(began).setHours(h!, m, s, 0);
  };
  await page.keyboard.press("ArrowLeft");
  await chart.locator(".legend > span", { hasText: /\d\d:\d\d:\d\d/ }).waitFor();
  for (let n = 0; n < 30 && (await moment()) >= began - 2000; n++) await page.keyboard.press("ArrowLeft");
  expect(await moment()).toBeLessThan(began - 2000);
  await page.keyboard.press("Tab"); // what is now is shown again
  await chart.locator(".legend > span", { hasText: /\d\d:\d\d:\d\d/ }).waitFor({ state: "detached" });
});

test("console kick seen by the victim, on the product page of another node", async () => {
  const victim = await openDemo(await openBrowser(), { url: other.url });
  const { left: person } = victim;
  const seen = await open(`connections?user=${person.user}`);
  await seen.row(person.user).waitFor();
  await seen.button(`Kick ${person.user}`).click();
  await seen.dialog.getByLabel("Message").fill("Please reload the page");
  const began = Date.now();
  await seen.dialog.getByRole("button", { name: "Kick" }).click();
  await person.says("Disconnected");
  expect(Date.now() - began).toBeLessThan(2000);
  await seen.says("1 connection was ended.");
  await seen.page.getByText("Nobody who is connected matches.").waitFor();
  await victim.right.says("Live"); // nobody else was meant
  await person.connection.getByRole("button", { name: "Reconnect" }).click();
  await person.says("Live"); // it was a kick, no ban
});

test("everybody who follows a job is kicked at once, and nobody else", async () => {
  const job = await worker.job().start(2);
  const [ana, bruno] = [somebody("ana"), somebody("bruno")];
  const [follows, does] = await Promise.all([client(ana, [`job:${job.id}`]), client(bruno)]);
  const seen = await open("jobs");
  await seen.page.getByRole("link", { name: `Followers of ${job.id}` }).click();
  await seen.row(ana).waitFor();
  expect(await seen.rows.count()).toBe(1);
  const told = next<{ code: string }>(follows, "closing");
  await seen.button("Kick all of these").click();
  await seen.dialog.getByRole("button", { name: "Kick" }).click();
  expect(await told).toMatchObject({ code: "KICKED", reconnect: false });
  await seen.page.getByText("Nobody who is connected matches.").waitFor();
  expect(does.connected).toBe(true);
});

test("a node that does not answer is named where its connections are missing", async () => {
  const { page } = await open("connections?user=nobody");
  await page.getByText("Nobody who is connected matches.").waitFor();
  other.pause();
  try {
    await page.evaluate(() => (location.hash = "#/connections?user=paused"));
    await page.getByText(/^Did not answer: /).waitFor();
  } finally {
    other.resume();
  }
  await expect.poll(() => administer("connections", { userId: "nobody" }), { timeout: 30_000 }).not.toHaveProperty("missing");
});

test("a ban keeps a user out, with its message, until it is lifted", async () => {
  const user = somebody("ana");
  const first = await client(user);
  const told = next<{ code: string; message: string }>(first, "closing");
  const seen = await open("access");
  const ban = seen.page.locator("form.ban");
  await ban.getByLabel("User id").fill(user);
  await ban.getByRole("button", { name: "Ban…" }).click();
  await seen.dialog.getByLabel("Message").fill("Until Monday");
  await seen.dialog.getByRole("button", { name: "Kick and ban" }).click();
  expect(await told).toMatchObject({ code: "BANNED", message: "Until Monday" });
  await seen.says(`${user}: banned.`);
  await expect(connect(hub.url, mint(hub.secret, user))).rejects.toMatchObject({ message: "BANNED" });
  await seen.page.locator("form.unban").getByLabel("User id").fill(user);
  await seen.button("Lift the ban").click();
  await seen.says(`${user} may connect again.`);
  await client(user);
});

test("tokens are taken back once that is confirmed", async () => {
  const user = somebody("ana");
  const socket = await client(user);
  const told = next<{ code: string }>(socket, "closing");
  const seen = await open("access");
  const form = seen.page.locator("form.revoke");
  await form.getByLabel("User id or jti").fill(user);
  await form.getByRole("button", { name: "Take back…" }).click();
  await seen.dialog.getByRole("button", { name: "Cancel" }).click();
  expect(socket.connected).toBe(true);
  await form.getByRole("button", { name: "Take back…" }).click();
  await seen.dialog.getByRole("button", { name: "Take back" }).click();
  expect(await told).toMatchObject({ code: "UNAUTHENTICATED" });
  await seen.says("Taken back.");
});

test("a broadcast is previewed, confirmed, and arrives on the product page of another node", async () => {
  const { left } = await openDemo(await openBrowser(), { url: other.url });
  const seen = await open("broadcast");
  const { page } = seen;
  await page.getByLabel("Users", { exact: true }).check();
  await page.getByLabel("One id per line").fill(`${left.user}\n${somebody("away")}`);
  await page.getByLabel("Title").fill("Maintenance");
  await page.getByLabel("Text", { exact: true }).fill("At ten o’clock <b>tonight</b>");
  await page.getByLabel("Warning").check();
  const preview = page.getByRole("article", { name: "Preview" });
  await preview.and(page.locator(".yellow")).getByText("At ten o’clock <b>tonight</b>").waitFor();
  await page.getByRole("button", { name: "Send…" }).click();
  await seen.dialog.getByText("the inbox of 2 users").waitFor();
  await seen.dialog.getByRole("button", { name: "Send" }).click();
  await shows(left.toasts, "Maintenance");
  await left.counts(1);
  await seen.says("on its way");
  expect(await page.getByLabel("Title").inputValue()).toBe("");

  await page.getByLabel("Users", { exact: true }).check(); // now to who is there alone
  await page.getByLabel("One id per line").fill(left.user);
  await page.getByLabel("Title").fill("Right now");
  await page.getByLabel("Text", { exact: true }).fill("…");
  await page.getByLabel("Live only").check();
  await page.getByRole("button", { name: "Send…" }).click();
  await seen.dialog.getByRole("button", { name: "Send" }).click();
  await shows(left.toasts, "Right now");
  await seen.says("1 connection was told.");
  await left.counts(1); // it is in no inbox
});

test("a kept broadcast to the followers of a job that nobody follows is said to reach nobody", async () => {
  const seen = await open("broadcast");
  await seen.page.getByLabel("Who follows a job").check();
  await seen.page.getByLabel("Id of the job").fill(randomUUID());
  await seen.page.getByLabel("Title").fill("Hello?");
  await seen.page.getByLabel("Text", { exact: true }).fill("…");
  await seen.page.getByRole("button", { name: "Send…" }).click();
  await seen.dialog.getByRole("button", { name: "Send" }).click();
  await seen.says("Nobody was there to be told.");
});

test("a live broadcast reaches those who follow a job, and is said to have reached how many", async () => {
  const job = await worker.job().start(2);
  const socket = await client(somebody("ana"), [`job:${job.id}`]);
  const heard = next<{ type: string; data: object }>(socket, "event", ({ type }) => type === "BROADCAST");
  const seen = await open("broadcast");
  await seen.page.getByLabel("Who follows a job").check();
  await seen.page.getByLabel("Id of the job").fill(job.id);
  await seen.page.getByLabel("Title").fill("Now");
  await seen.page.getByLabel("Text", { exact: true }).fill("Only live");
  await seen.page.getByLabel("Live only").check();
  await seen.page.getByRole("button", { name: "Send…" }).click();
  await seen.dialog.getByRole("button", { name: "Send" }).click();
  await seen.says("1 connection was told.");
  expect((await heard).data).toMatchObject({ title: "Now", body: "Only live", severity: "INFO" });
});

test("jobs are listed and chosen by their status; where there are none that is said", async () => {
  const job = await worker.job(undefined, "ana").start(2);
  const seen = await open("jobs");
  await seen.row(job.id).filter({ hasText: "Generating" }).waitFor();
  await seen.page.getByLabel("Status").selectOption("PLANNED");
  await seen.page.getByText("No job has this status.").waitFor();
});

test("a notification is traced to the socket that it was written to", async () => {
  const user = somebody("ana");
  const socket = await client(user);
  const seen = await open("trace");
  const { page } = seen;
  const find = async (id: string): Promise<void> => {
    await page.getByLabel("Id of the event or notification").fill(id);
    await page.keyboard.press("Enter");
  };
  await find("what?");
  await page.getByRole("alert").filter({ hasText: "a UUID is needed" }).waitFor();
  await find(randomUUID());
  await page.getByRole("alert").filter({ hasText: "has this id" }).waitFor();
  const id = randomUUID();
  const heard = next<{ id: string }>(socket, "event", (event) => event.id === id);
  await seen.go(`tail?user=${user}`); // from now on every step is noted
  await shows(page.locator("console-tail [role=status]"), `Watching ${user}`);
  await shows(page.locator("console-tail"), "Nothing has happened yet");
  await worker.publish({ id, kind: "NOTIFICATION", to: { users: [user] }, type: "test.note", title: "Where?", body: "…" });
  await heard;
  await seen.row("Written").waitFor();
  await seen.row("Written").getByRole("link", { name: `Trace ${id}` }).click();
  await page.locator("console-trace .way li.done", { hasText: "Written to sockets" }).waitFor();
  expect(await page.locator("console-trace .way li.done").allTextContents()).toHaveLength(4);
  await seen.row(user).filter({ hasText: "SOCKETIO" }).waitFor();
});

test("dead letters are shown with their reason, put back, and thrown away", async () => {
  const [early, never] = [randomUUID(), randomUUID()];
  const scenario = (jobId: string): Record<string, unknown> => ({
    kind: "JOB", jobId, type: "SCENARIO_COMPLETED", data: { scenarioId: "s1", featureId: "f1", featureName: "Login", title: "Too early", stepsCount: 3 },
  });
  await worker.publish(scenario(early));
  await worker.publish(scenario(never));
  const seen = await open("dead");
  const { page } = seen;
  const letters = async (jobId: string, count: number): Promise<void> => {
    await expect.poll(async () => {
      await page.getByRole("button", { name: "Refresh" }).click();
      return seen.row(jobId).count();
    }, { timeout: 10_000 }).toBe(count);
  };
  await letters(early, 1);
  await letters(never, 1);
  const row = seen.row(early);
  await row.filter({ hasText: "was never started" }).waitFor();
  await row.getByRole("button", { name: "Details" }).click();
  await page.locator("pre", { hasText: '"title": "Too early"' }).waitFor();
  await worker.job(early).start(1);
  await row.getByRole("button", { name: "Replay" }).click();
  await seen.says("1 letter was put back.");
  await letters(early, 0);
  await seen.go(`jobs`);
  await seen.row(early).filter({ hasText: "1/1" }).waitFor();
  await seen.go("dead");
  const drop = seen.page.getByRole("group", { name: "Actions" }).getByRole("button", { name: "Drop" });
  await seen.row(never).waitFor();
  expect(await drop.isDisabled()).toBe(true);
  await seen.row(never).getByRole("checkbox").check();
  await page.getByText("1 selected").waitFor();
  await drop.click();
  await seen.dialog.getByText("There is no undo").waitFor();
  await page.keyboard.press("Escape");
  expect(await seen.row(never).count()).toBe(1);
  await drop.click();
  await seen.dialog.getByRole("button", { name: "Drop" }).click();
  await seen.says("1 letter was dropped.");
  await letters(never, 0);
});

test("the audit has what was done and by whom, page by page", async () => {
  const me = somebody("root");
  const users = Array.from({ length: 60 }, (_, n) => somebody(`nobody-${n}`));
  await Promise.all([0, 1, 2, 3].map(async (part) => { // each below its rate of commands
    const socket = await connect(`${hub.url}/admin`, admin(me), [], "connect");
    sockets.push(socket);
    await Promise.all(users.slice(part * 15, part * 15 + 15).map((userId) => socket.emitWithAck("unban", { userId })));
  }));
  const seen = await open("audit");
  const found: string[] = [];
  const collect = async (): Promise<void> => {
    await seen.row("unban").first().waitFor();
    const mine = await seen.row("unban").filter({ hasText: me }).locator("td:nth-child(4) .value").allTextContents();
    found.push(...mine.map((target) => target.replace("user:", "")));
  };
  await collect();
  expect(await seen.row(/audit|connections/).count()).toBe(0);
  expect(found.length).toBeLessThan(60);
  while (found.length < 60) {
    await seen.button("Next page").click();
    await seen.page.getByText(/Page 2 ·/).waitFor();
    await collect();
  }
  expect([...found].sort()).toEqual([...users].sort());
  await seen.button("Previous page").click();
  await seen.page.getByText(/Page 1 ·/).waitFor();
  await seen.page.getByLabel("Also who only looked").check();
  await seen.row("audit").first().waitFor();
});

test("the keyboard alone signs in, finds a connection, and kicks it", async () => {
  const user = somebody("ana");
  const socket = await client(user);
  const ended = next(socket, "disconnect");
  const seen = await openConsole(await openBrowser(), { url: hub.url });
  const { page } = seen;
  const { keyboard } = page;
  const tabTo = async (name: string): Promise<void> => {
    for (let n = 0; n < 40; n++) {
      await keyboard.press("Tab");
      const at = await page.evaluate(() => {
        let element = document.activeElement;
        while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
        const label = (element as HTMLInputElement | null)?.labels?.[0]?.querySelector("span")?.textContent;
        return element?.getAttribute("aria-label") ?? label ?? element?.textContent?.trim();
      });
      if (at === name) return;
    }
    throw new Error(`the focus never comes to ${name}`);
  };
  await keyboard.type(admin()); // the field has the focus
  await keyboard.press("Enter");
  await seen.live();
  await tabTo("Connections");
  await keyboard.press("Enter");
  await focused(page, "Connections"); // the heading
  await tabTo("Exact id");
  await keyboard.type(user);
  await keyboard.press("Enter");
  await seen.row(user).waitFor();
  await tabTo(`Kick ${user}`);
  await keyboard.press("Enter");
  await focused(page, "Cancel");
  for (let n = 0; n < 12; n++) { // the focus stays in the dialog, or is at the browser's own
    await keyboard.press("Tab");
    expect(await page.evaluate(() => {
      let element = document.activeElement;
      while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
      return element === document.body || element?.closest("form") !== null;
    })).toBe(true);
  }
  await keyboard.press("Escape");
  await focused(page, `Kick ${user}`); // where it was
  await keyboard.press("Enter");
  await focused(page, "Cancel");
  await tabTo("Kick");
  await keyboard.press("Enter");
  await ended;
  await seen.says("1 connection was ended.");
});

describe("everybody can use it", () => {
  const sample = async (): Promise<(view: string) => string> => {
    const user = somebody("ana");
    const id = randomUUID();
    const socket = await client(user);
    const heard = next<{ id: string }>(socket, "event", (event) => event.id === id);
    const job = await worker.job(undefined, user).start(3);
    await worker.publish({ id, kind: "NOTIFICATION", to: { users: [user] }, type: "test.note", title: "A note", body: "…" });
    await worker.publish({ kind: "JOB", jobId: `nobody-${job.id}`, type: "JOB_COMPLETED", data: { passed: 1, failed: 0 } });
    await heard;
    const given: Record<string, string> = { trace: `?id=${id}`, tail: `?user=${user}` };
    return (view) => `${view}${given[view] ?? ""}`;
  };

  test("axe-core finds nothing serious in any view, in light and in dark", async () => {
    const address = await sample();
    const out = await openConsole(await openBrowser(), { url: hub.url });
    const { page } = out;
    const look = async (view: string): Promise<void> => {
      expect([view, await violations(page)]).toEqual([view, []]);
      await page.evaluate(() => (document.documentElement.dataset.theme = "dark")); // only the colours are others
      expect([view, await violations(page, ["color-contrast"])]).toEqual([view, []]);
      await page.evaluate(() => (document.documentElement.dataset.theme = "light"));
    };
    await look("login");
    await page.getByLabel("Admin token").fill(admin());
    await page.keyboard.press("Enter");
    await out.live();
    for (const view of VIEWS) {
      await out.go(address(view));
      await settled(page, view);
      await look(view);
    }
    await out.go("connections");
    await out.button(/^Kick /).first().click();
    await out.dialog.waitFor();
    await look("kick");
  });

  test("360 pixels are enough for every view, in every language", async () => {
    const address = await sample();
    const { page, ...seen } = await openConsole(await openBrowser({ viewport: { width: 360, height: 740 } }), { url: hub.url });
    const look = async (view: string): Promise<void> => {
      for (const lang of ["pt-BR", "es", "en"]) {
        await page.locator("header select").selectOption(lang);
        expect([view, lang, await tooWide(page)]).toEqual([view, lang, 0]);
      }
    };
    await look("login");
    await page.getByLabel("Admin token").fill(admin());
    await page.keyboard.press("Enter");
    await page.locator("nav").waitFor();
    for (const view of VIEWS) {
      await page.evaluate((to) => (location.hash = to), `#/${address(view)}`);
      await settled(page, view);
      await look(view);
    }
    const strip = (await page.locator("nav a", { hasText: "Audit" }).boundingBox())!; // the last view is to be seen
    expect([strip.x >= 0, strip.x + strip.width <= 360]).toEqual([true, true]);
    await page.evaluate(() => (location.hash = "#/connections"));
    await page.getByRole("button", { name: /^Kick / }).first().click();
    await seen.dialog.waitFor();
    const box = (await page.locator("dialog[open]").boundingBox())!;
    expect([box.x >= 0, box.x + box.width <= 360]).toEqual([true, true]);
  });

  test("the language and the colours are chosen, and remembered", async () => {
    const context = await openBrowser({ colorScheme: "light", locale: "pt-BR" });
    const page = await context.newPage();
    await page.goto(`${hub.url}/console`);
    await page.getByRole("button", { name: "Entrar" }).waitFor();
    await page.getByLabel("Idioma").selectOption("es");
    await page.getByRole("button", { name: "Oscuro" }).click();
    await page.reload();
    await page.getByText("Para administradores. El token se queda en esta pestaña.").waitFor();
    expect(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)).toBe("dark");
  });
});

// the last one: for 15 s nobody knows that the node is dead, and whoever asks all nodes waits for it
test("a tail shows each step while it happens, also after the connection broke", async () => {
  const user = somebody("ana");
  sockets.push(await connect(hub.url, mint(hub.secret, user)));
  const seen = await openConsole(await openBrowser(), { url: other.url, token: admin(), view: `tail?user=${user}` });
  const { page } = seen;
  const published = async (): Promise<string> => {
    const id = randomUUID();
    await worker.publish({ id, kind: "NOTIFICATION", to: { users: [user] }, type: "test.note", title: "A note", body: "…" });
    await seen.row("Written").filter({ hasText: id }).waitFor();
    return id;
  };
  await shows(page.locator("console-tail [role=status]"), `Watching ${user}`);
  await expect.poll(async () => seen.row(await published()).count(), { timeout: 10_000 }).toBe(3); // workers hear of it within a second
  for (const step of ["Stored", "Routed", "Written"]) await seen.row(step).first().waitFor();
  const before = await seen.rows.count();
  await seen.button("Pause").click();
  await worker.notify([user], "two");
  await page.getByText("Paused, 3 more").waitFor();
  expect(await seen.rows.count()).toBe(before);
  await seen.button("Resume").click();
  await seen.rows.nth(before + 2).waitFor();
  await other.kill();
  await page.locator("header [role=status]", { hasText: "Reconnecting" }).waitFor();
  await page.evaluate(() => (location.hash = "#/connections")); // nothing can be shown
  await page.getByRole("alert").filter({ hasText: "There is no connection to the hub" }).waitFor();
  await page.goBack();
  await page.locator("console-tail h1").waitFor();
  other = await startNode(hub, new URL(other.url).port);
  await seen.live();
  await shows(page.locator("console-tail [role=status]"), `Watching ${user}`);
  await published();
  await page.evaluate(() => (location.hash = "#/connections"));
  await seen.rows.first().waitFor();
});
