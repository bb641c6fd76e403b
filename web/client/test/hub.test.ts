/** The SDK in Node against a running hub. */
import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, inject, test } from "vitest";
import { createHub, type Envelope, type HubClient, type HubOptions, type InboxState, type Readable, type Store, until, view } from "@notification-hub/client";
import { io } from "socket.io-client";
import { mint, Worker } from "../../test/hub";

const hub = inject("hub");
const worker = new Worker(hub);
const clients: HubClient[] = [];
const user = (): string => `u-${randomUUID()}`;

function client(sub: string, options: Partial<HubOptions> = {}): HubClient {
  const made = createHub({ url: hub.url, token: mint(hub.secret, sub), ...options });
  clients.push(made);
  return made;
}

afterEach(() => {
  for (const each of clients.splice(0)) each.close();
});

const online = (each: HubClient): Promise<unknown> => until(each.connection(), ({ status }) => status === "online");

/** The values that a store goes through while it is followed. */
function kept<Value>(store: Readable<Value>): { store: Readable<Value>; end(): void } {
  return { store, end: store.subscribe(() => {}) };
}

describe("a job", () => {
  test("is followed from its first event to its end, each event once", async () => {
    const job = await worker.job().start(3);
    await job.scenarios(1);
    const ana = client("ana");
    const { store } = kept(ana.progress(job.id));
    await until(store, ({ progress }) => progress.completedScenarios === 1);
    expect(store.get()).toMatchObject({ feed: "live", status: "GENERATING", kind: "GENERATION_JOB" });
    await job.scenarios(2);
    await job.complete();
    const end = await until(store, ({ feed }) => feed === "ended");
    expect(end.status).toBe("COMPLETED");
    expect(end.progress.percentage).toBe(100);
    expect(end.summary?.passed).toBe(3);
    expect(end.events.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5]);
  });

  test("says what it does now, of which there is no event", async () => {
    const job = await worker.job().start();
    const { store } = kept(client("ana").progress(job.id));
    await until(store, ({ feed }) => feed === "live");
    await job.activity("Criar cliente");
    await job.scenarios(1);
    const { activity } = await until(store, ({ activity }) => activity !== null);
    expect(activity?.scenarioTitle).toBe("Criar cliente");
  });

  test("goes on without gap or repeat after its line was cut", async () => {
    const job = await worker.job().start(40);
    const ana = client("ana");
    const seen: number[] = [];
    ana.subscribe(`job:${job.id}`, ({ offset }) => seen.push(offset));
    const { store } = kept(ana.progress(job.id));
    await until(store, ({ feed }) => feed === "live");
    await job.scenarios(10);
    await until(store, ({ progress }) => progress.completedScenarios === 10);
    await ana.drop();
    await job.scenarios(10);
    await until(store, ({ progress }) => progress.completedScenarios === 20);
    await ana.setOffline(true); // leaves, so there is no recovery: it has to resume
    await job.scenarios(10);
    await ana.setOffline(false);
    await until(store, ({ progress }) => progress.completedScenarios === 30);
    expect(store.get().events.map(({ offset }) => offset)).toEqual(Array.from({ length: 31 }, (_, i) => i + 1));
    expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => i + 2));
  });

  test("that may not be read, or is not there, is an error and no endless loop", async () => {
    const job = await worker.job().start();
    const other = client("ana", { token: mint(hub.secret, "ana", { projects: [] }) });
    const denied = kept(other.progress(job.id));
    expect((await until(denied.store, ({ feed }) => feed === "error")).error?.code).toBe("INSUFFICIENT_PERMISSIONS");
    const missing = kept(other.progress(randomUUID()));
    expect((await until(missing.store, ({ feed }) => feed === "error")).error?.code).toBe("JOB_NOT_FOUND");
  });

  test("that has all the followers it may have is polled meanwhile, and shown whole", async () => {
    const job = await worker.job().start(9);
    const others = Array.from({ length: 5 }, () => client(user()));
    const ends = others.map((each) => kept(each.progress(job.id)));
    await Promise.all(ends.map(({ store }) => until(store, ({ feed }) => feed === "live")));
    const sixth = kept(client("ana").progress(job.id));
    await until(sixth.store, ({ feed }) => feed === "polling");
    await job.scenarios(2);
    const polled = await until(sixth.store, ({ progress }) => progress.completedScenarios === 2);
    expect(polled.feed).toBe("polling");
    expect(polled.events.map(({ offset }) => offset)).toEqual([1, 2, 3]);
  });
});

describe("the inbox", () => {
  test("what ends by itself is gone from every device that listens", async () => {
    const ana = user();
    const [laptop, phone] = [client(ana), client(ana)];
    await Promise.all([online(laptop), online(phone)]);
    await worker.notify([ana], "stays");
    await worker.notify([ana], "ends", { expiresAt: new Date(Date.now() + 2500).toISOString() });
    for (const each of [laptop, phone]) await until(each.inbox(), ({ count }) => count === 2);
    for (const each of [laptop, phone]) await until(each.inbox(), ({ count }) => count === 1);
    expect(phone.inbox().get().items.map(({ title }) => title)).toEqual(["stays"]);
  });

  test("counts, lists and marks, and the user's other device agrees", async () => {
    const ana = user();
    const [laptop, phone] = [client(ana), client(ana)];
    await Promise.all([online(laptop), online(phone)]);
    await worker.notify([ana], "one");
    await worker.notify([ana], "two");
    for (const each of [laptop, phone]) await until(each.inbox(), ({ count }) => count === 2);
    await laptop.load("UNREAD");
    const [newest] = view(laptop.inbox().get(), "UNREAD");
    await laptop.mark([newest!.id], "READ");
    await until(phone.inbox(), ({ count }) => count === 1);
    expect(laptop.inbox().get().count).toBe(1);
    expect(view(laptop.inbox().get(), "UNREAD")).toHaveLength(1);
    await phone.load("ALL");
    await phone.mark("all", "DISMISSED");
    await until(laptop.inbox(), ({ count }) => count === 0);
    expect(view(laptop.inbox().get(), "UNREAD")).toEqual([]);
  });

  test("pages, and ends", async () => {
    const ana = user();
    const each = client(ana, { pageSize: 2 });
    await online(each);
    for (const title of ["a", "b", "c"]) await worker.notify([ana], title);
    await until(each.inbox(), ({ count }) => count === 3);
    const later = client(ana, { pageSize: 2 });
    await online(later);
    await later.load("ALL");
    expect(view(later.inbox().get(), "ALL").map(({ title }) => title)).toEqual(["c", "b"]);
    await later.loadMore("ALL");
    expect(view(later.inbox().get(), "ALL").map(({ title }) => title)).toEqual(["c", "b", "a"]);
    expect(later.inbox().get().lists.ALL.nextCursor).toBeNull();
  });

  test("takes marks while there is no network, shows them, and sends them in order afterwards", async () => {
    const ana = user();
    const each = client(ana);
    await online(each);
    await worker.notify([ana], "one");
    await worker.notify([ana], "two");
    await until(each.inbox(), ({ count }) => count === 2);
    await each.setOffline(true);
    const ids = each.inbox().get().items.map(({ id }) => id);
    const marks = [each.mark([ids[0]!], "READ"), each.mark([ids[1]!], "READ"), each.mark([ids[1]!], "UNREAD")];
    await until(each.connection(), ({ queued }) => queued === 3);
    expect(each.inbox().get().count).toBe(1);
    await each.setOffline(false);
    await Promise.all(marks);
    expect(each.connection().get().queued).toBe(0);
    const other = client(ana);
    await until(other.inbox(), ({ count, unread }) => unread.version >= 0 && count === 1);
  });

  test("rejects a mark that the hub will never take, and shows what is true again", async () => {
    const ana = user();
    const each = client(ana);
    await online(each);
    await worker.notify([ana], "one");
    await until(each.inbox(), ({ count }) => count === 1);
    await expect(each.mark(["not an id ".repeat(9)], "READ")).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    expect(each.inbox().get().count).toBe(1);
  });

  test("refuses a mark that finds as many waiting as may, and does not show it as done", async () => {
    const ana = user();
    const each = client(ana);
    await online(each);
    await worker.notify([ana], "one");
    await until(each.inbox(), ({ count }) => count === 1);
    await each.setOffline(true);
    const { id } = each.inbox().get().items[0]!;
    const seen = Array.from({ length: 500 }, () => each.mark([id], "SEEN"));
    await until(each.connection(), ({ queued }) => queued === seen.length);
    await expect(each.mark([id], "DISMISSED")).rejects.toMatchObject({ code: "QUEUE_FULL" });
    expect(each.inbox().get().count).toBe(1);
    expect(view(each.inbox().get(), "ALL").map((item) => item.id)).toEqual([id]);
  });

  test("shows in a list that is opened right after a mark what was marked", async () => {
    const ana = user();
    const each = client(ana);
    await online(each);
    const titles = ["one", "two", "three"];
    for (const title of titles) await worker.notify([ana], title);
    await until(each.inbox(), ({ count }) => count === titles.length);
    await each.load("ALL");
    const ids = each.inbox().get().items.map(({ id }) => id);
    for (const id of ids) {
      const marked = each.mark([id], "DISMISSED");
      await each.load("DISMISSED");
      await marked;
      expect(view(each.inbox().get(), "DISMISSED").map((item) => item.id)).toContain(id);
    }
    await until(each.inbox(), ({ waiting }) => !Object.keys(waiting).length);
    expect(view(each.inbox().get(), "DISMISSED").map((item) => item.id)).toEqual(ids);
  });

  test("does not ask for ever for a list of which something newer was told", async () => {
    const each = client(user());
    await online(each);
    const box = each.inbox() as Store<InboxState>;
    box.update((now) => ({ ...now, at: Number.MAX_SAFE_INTEGER })); // as after a hub's stores went back in time
    await each.load("ALL");
    expect(box.get().lists.ALL).toMatchObject({ loading: false, error: "UNAVAILABLE" });
  });

  test("an announcement counts one, and a missed notification comes after an absence", async () => {
    const ana = user();
    const each = client(ana);
    await online(each);
    const heard: string[] = [];
    const missed = new Promise<void>((resolve) => {
      each.onNotification(({ title }) => {
        heard.push(title);
        if (title === "missed") resolve();
      });
    });
    await worker.publish({ kind: "NOTIFICATION", to: "all", type: "system.updated", title: "2.4", body: "…" });
    await until(each.inbox(), ({ count }) => count === 1);
    await each.setOffline(true);
    await worker.notify([ana], "missed");
    await each.setOffline(false);
    await missed;
    expect(heard).toEqual(["2.4", "missed"]);
    expect(each.inbox().get().count).toBe(2);
  });
});

test("a topic begins with its last events, in order, and goes on live", async () => {
  const topic = `t-${randomUUID()}`;
  const publish = (n: number): Promise<void> => worker.publish({ kind: "EVENT", channel: `topic:${topic}`, type: "NUMBER", data: { n } });
  for (const n of [1, 2, 3, 4]) await publish(n);
  const watching = io(hub.url, { transports: ["websocket"], auth: { token: mint(hub.secret, "w") } });
  await new Promise<void>((resolve) => {
    // they are stored once somebody else can follow them to the end
    const ask = (): void => void watching.emit("subscribe", { channel: `topic:${topic}`, offset: 0 }, (ack: { data: { offset: number } }) => (ack.data.offset === 4 ? resolve() : ask()));
    watching.on("connect", ask);
  });
  watching.close();
  const each = client(user());
  const seen: number[] = [];
  const five = new Promise<void>((resolve) => {
    each.subscribe(`topic:${topic}`, (event: Envelope) => {
      seen.push((event.data as { n: number }).n);
      if (seen.length === 1) void publish(5);
      if (seen.at(-1) === 5) resolve();
    }, { last: 2 });
  });
  await five;
  expect(seen).toEqual([3, 4, 5]);
});

test("a token that was refused is asked for once more", async () => {
  const asked: boolean[] = [];
  const each = client("ana", {
    token: ({ expired }) => {
      asked.push(expired);
      return mint(hub.secret, "ana", {}, expired ? 3600 : -3600);
    },
  });
  await online(each);
  expect(asked[0]).toBe(false);
  expect(asked.at(-1)).toBe(true);
});

test("tokens that are never good end in a refusal, not in a loop", async () => {
  const each = client("ana", { token: mint("x".repeat(40), "ana") });
  const { error } = await until(each.connection(), ({ status }) => status === "refused");
  expect(error?.code).toBe("UNAUTHENTICATED");
});
