/** What somebody sees of notifications and of the connection, on pages, tabs and devices. */
import { expect, test } from "vitest";
import { Worker } from "../hub";
import { administer, hub, openBrowser, openDemo, type Person, shows, somebody } from "./pages";

const worker = new Worker(hub);

const connectionsOf = async (user: string): Promise<number> => ((await administer("connections", { userId: user })).items as unknown[]).length;

/** `count` notifications of that user, each seen before the next. */
async function notify(person: Person, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) {
    await worker.notify([person.user], `Note ${n}`);
    await person.counts(n);
  }
}

test("what is read while there is no network waits, also for the next page, and is sent when it is back", async () => {
  const browser = await openBrowser();
  const job = await worker.job().start(2);
  const demo = await openDemo(browser, { job: job.id });
  const { left } = demo;
  await notify(left, 3);
  await left.bell.click();
  await browser.setOffline(true);
  await left.says("Offline");
  for (const title of ["Note 1", "Note 2"]) await left.panel.getByRole("button", { name: `Mark as read: ${title}` }).click();
  await left.says("2 changes wait");
  await left.counts(1);
  await job.scenarios(2); // happens while nobody hears it
  await worker.notify([left.user], "Note 4");
  await browser.setOffline(false);
  await left.says("Live");
  await left.sees(2, 2);
  await left.counts(2);
  await left.connection.filter({ hasNotText: "wait" }).waitFor();
  expect(await demo.proof()).toMatchObject({ gaps: 0, repeats: 0 });

  await browser.setOffline(true);
  await left.says("Offline");
  await left.panel.getByRole("button", { name: "Mark as read: Note 3" }).click();
  await left.says("1 change waits");
  await demo.page.close(); // with what waits
  await browser.setOffline(false);
  const again = await openDemo(browser, { left: left.user, right: demo.right.user });
  await again.left.counts(1);
  const elsewhere = await openDemo(await openBrowser(), { left: left.user });
  await elsewhere.left.counts(1);
});

test("a second tab takes over when the one that holds the connection is closed", async () => {
  const browser = await openBrowser();
  const job = await worker.job().start(4);
  const first = await openDemo(browser, { job: job.id });
  const people = { left: first.left.user, right: first.right.user };
  const second = await openDemo(browser, { job: job.id, ...people });
  await job.scenarios(1);
  for (const tab of [first, second]) await tab.left.sees(1, 4);
  expect(await connectionsOf(first.left.user)).toBe(1);
  await first.page.close();
  await job.scenarios(2);
  await second.left.sees(3, 4);
  await notify(second.left, 1);
  expect(await connectionsOf(first.left.user)).toBe(1);
  expect(await second.proof()).toMatchObject({ gaps: 0, repeats: 0 });
});

test("the end of an important job is told on a page that is not about jobs", async () => {
  const ana = somebody("ana");
  const job = await worker.job(undefined, ana, { important: true }).start(1);
  const { left, right } = await openDemo(await openBrowser(), { left: ana, page: "other" });
  await job.scenarios(1);
  await job.complete();
  await left.toasts.getByText("Success:").waitFor();
  await left.counts(1);
  await left.toasts.getByRole("button").click();
  await left.toasts.waitFor({ state: "detached" });
  await right.counts(0); // it is nobody else's
});

test("two browsers of one user count the same, whichever of them reads", async () => {
  const ana = somebody("ana");
  const [laptop, phone] = await Promise.all([1, 2].map(async () => (await openDemo(await openBrowser(), { left: ana })).left));
  await notify(laptop!, 3);
  await phone!.counts(3);
  await phone!.bell.click();
  await phone!.panel.getByRole("button", { name: "Mark as read: Note 2" }).click();
  for (const each of [laptop!, phone!]) await each.counts(2);
  await laptop!.bell.click();
  await laptop!.panel.getByRole("button", { name: "Mark all as read" }).click();
  for (const each of [laptop!, phone!]) await each.counts(0);
  await shows(phone!.panel, "You are all caught up.");
});

test("who is kicked sees it, nobody else does, and the page stays away until it is asked", async () => {
  const { left, right } = await openDemo(await openBrowser());
  await administer("kick", { userId: left.user });
  await left.says("Disconnected");
  await right.says("Live");
  await left.bell.click(); // other actions of the user do not bring it back
  await left.says("Disconnected");
  expect(await connectionsOf(left.user)).toBe(0);
  await left.connection.getByRole("button", { name: "Reconnect" }).click();
  await left.says("Live");
});

test("the inbox is used with the keyboard alone", async () => {
  const { page, left } = await openDemo(await openBrowser());
  await notify(left, 2);
  const { keyboard } = page;
  const named = (name: string) => page.getByRole("button", { name }).or(page.getByRole("tab", { name }));
  const focused = (name: string): Promise<void> => shows(page.locator(":focus").and(named(name)));
  const tabTo = async (name: string): Promise<void> => {
    await shows(named(name)); // a list that is still being asked for has nothing to go to
    for (let steps = 0; steps < 20; steps++) {
      if (await page.locator(":focus").and(named(name)).count()) return;
      await keyboard.press("Tab");
    }
    throw new Error(`Tab does not lead to ${name}`);
  };
  await tabTo("Notifications, 2 unread");
  await keyboard.press("Enter");
  await shows(left.panel, "Note 2");
  await tabTo("Unread 2");
  await keyboard.press("ArrowRight");
  await focused("All");
  await keyboard.press("Home");
  await focused("Unread 2");
  await tabTo("Mark as read: Note 2");
  await keyboard.press("Enter");
  await left.counts(1);
  await focused("Mark as read: Note 1"); // the focus goes on at what is left
  await tabTo("Dismiss: Note 1");
  await keyboard.press("Space");
  await left.counts(0);
  await focused("Unread");
  await keyboard.press("End");
  await focused("Dismissed");
  await tabTo("Restore: Note 1");
  await keyboard.press("Enter");
  await left.counts(1);
  await keyboard.press("Escape");
  await left.panel.waitFor({ state: "detached" });
  await focused("Notifications, 1 unread");
});
