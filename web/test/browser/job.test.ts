/** What somebody sees of a job, whatever happens to the page, its network and the hub. */
import { expect, test } from "vitest";
import { createHub, until } from "@notification-hub/client";
import { mint, startNode, Worker } from "../hub";
import { hub, openBrowser, openDemo, scenarios, shows, somebody } from "./pages";

const worker = new Worker(hub);

test("progress is shown while it is made, without a reload, from the first event to the end", async () => {
  const job = await worker.job().start(4);
  const { page, left, right } = await openDemo(await openBrowser(), { job: job.id });
  await left.sees(0, 4);
  await page.evaluate(() => Object.assign(window, { same: true })); // a reload would lose it
  await job.activity("Criar cliente");
  await job.scenarios(2);
  for (const person of [left, right]) await person.sees(2, 4);
  await shows(left.job.locator(".now"), "Criar cliente");
  await job.scenarios(2);
  await job.complete();
  await shows(left.job.locator(".summary"), "4 passed");
  await shows(left.job.getByRole("progressbar").and(page.locator('[aria-valuenow="100"]')));
  expect(await left.listed()).toEqual(scenarios(4));
  expect(await page.evaluate(() => "same" in window)).toBe(true);
});

test("a reload in the middle shows all of it, and goes on", async () => {
  const job = await worker.job().start(6);
  const { page, left } = await openDemo(await openBrowser(), { job: job.id });
  await job.scenarios(3);
  await left.sees(3, 6);
  await page.reload();
  await left.sees(3, 6);
  await job.scenarios(3);
  await left.sees(6, 6);
  expect(await left.listed()).toEqual(scenarios(6));
});

test("the page misses nothing while its node is dead, and sends what was read meanwhile", async () => {
  const job = await worker.job().start(30); // on a node that lives
  const titles = ["Note 1", "Note 2"];
  let node = await startNode(hub);
  try {
    const demo = await openDemo(await openBrowser(), { job: job.id, url: node.url });
    await job.scenarios(10);
    for (const person of [demo.left, demo.right]) await person.sees(10, 30);
    for (const title of titles) await worker.notify([demo.left.user], title);
    await demo.left.counts(2);
    await demo.page.getByRole("button", { name: "Kill the node" }).click();
    await demo.left.bell.click();
    await shows(demo.left.panel, titles[1]);
    await shows(demo.page.locator("#story"), "The node is dead");
    for (const person of [demo.left, demo.right]) await person.says("Reconnecting");
    await job.scenarios(10); // while the page is alone
    for (const title of titles) await demo.left.panel.getByRole("button", { name: `Mark as read: ${title}` }).click();
    await demo.left.says("2 changes wait");
    await demo.left.says(/again in [345] s/); // the first attempts have failed
    node = await startNode(hub, new URL(node.url).port);
    await shows(demo.page.locator("#story"), "Everybody is back");
    await job.scenarios(10);
    for (const person of [demo.left, demo.right]) {
      await person.sees(30, 30);
      expect(await person.listed()).toEqual(scenarios(30));
    }
    await demo.left.counts(0);
    await demo.left.connection.filter({ hasNotText: "wait" }).waitFor();
    expect(await demo.proof()).toMatchObject({ gaps: 0, repeats: 0 });
  } finally {
    await node.kill();
  }
});

test("the sixth viewer of a job polls, and sees all of it", async () => {
  const job = await worker.job().start(3);
  const others = Array.from({ length: 5 }, () => createHub({ url: hub.url, token: mint(hub.secret, somebody("viewer")) }));
  try {
    const follows = others.map((each) => each.progress(job.id));
    for (const each of follows) each.subscribe(() => {});
    await Promise.all(follows.map((each) => until(each, ({ feed }) => feed === "live")));
    const { left } = await openDemo(await openBrowser(), { job: job.id });
    await shows(left.job.locator(".feed"), "Updated every few seconds");
    await job.scenarios(2);
    await left.sees(2, 3);
    expect(await left.listed()).toEqual(scenarios(2));
    await left.says("Live"); // notifications are not polled
  } finally {
    for (const each of others) each.close();
  }
});
