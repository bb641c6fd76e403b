import "fake-indexeddb/auto";
import { describe, expect, test } from "vitest";
import { pollDelay, reconnectDelay } from "../src/backoff";
import * as inbox from "../src/inbox";
import { durationMs, emptyJob, withActivity, withEvent, withHistory, withSnapshot } from "../src/job";
import { AT_MOST, IndexedDbStorage, MemoryStorage, newId, Outbox, type Storage, type Waiting } from "../src/outbox";
import type { Envelope, JobSnapshot, Notification } from "../src/protocol";
import { Store, until } from "../src/store";
import { Credentials, subjectOf } from "../src/token";
import { mint } from "../../test/hub";

test("attempts wait 1, 2, 4, 8 and 8 s, a quarter more or less; polls double up to 30 s", () => {
  const middle = (): number => 0.5;
  expect([1, 2, 3, 4, 5].map((failed) => reconnectDelay(failed, middle))).toEqual([1, 2, 4, 8, 8]);
  expect(reconnectDelay(3, () => 0)).toBe(3);
  expect(reconnectDelay(3, () => 1)).toBe(5);
  expect([0, 1, 2, 3, 4, 9].map((failed) => pollDelay(3, failed))).toEqual([3, 6, 12, 24, 30, 30]);
});

describe("a store", () => {
  test("tells now, and of changes only, until one leaves", () => {
    const store = new Store(1);
    const seen: number[] = [];
    const end = store.subscribe((value) => seen.push(value));
    store.set(1);
    store.set(2);
    end();
    store.set(3);
    expect(seen).toEqual([1, 2]);
  });

  test("until takes the value that is there, and leaves; an abort rejects", async () => {
    const store = new Store(1);
    expect(await until(store, (value) => value === 1)).toBe(1);
    const abort = new AbortController();
    const never = until(store, (value) => value === 9, abort.signal);
    abort.abort(new Error("enough"));
    await expect(never).rejects.toThrow("enough");
  });
});

const event = (offset: number, type = "SCENARIO_COMPLETED", more: Partial<Envelope> = {}): Envelope => ({
  v: 1, id: `e${offset}`, channel: "job:j", epoch: "a", offset, type, jobId: "j", data: {},
  timestamp: `2026-01-28T10:00:${String(offset).padStart(2, "0")}.000Z`, ...more,
});
const snapshot = (offset: number, more: Partial<JobSnapshot> = {}): JobSnapshot => ({
  jobId: "j", jobKind: "GENERATION_JOB", projectId: "p", status: "GENERATING", epoch: "a", offset,
  progress: { completedScenarios: offset, totalScenarios: 4, completedFeatures: 0, totalFeatures: 1, percentage: 25 * offset },
  currentActivity: null, recentEvents: [], estimatedTimeRemaining: "PT7M", startedAt: "", updatedAt: "", ...more,
});

describe("a job", () => {
  test("takes each event once, whatever is repeated", () => {
    let job = emptyJob("j");
    for (const offset of [1, 2, 2, 1, 3]) job = withEvent(job, event(offset));
    expect(job.events.map(({ offset }) => offset)).toEqual([1, 2, 3]);
    expect(withEvent(job, event(2))).toBe(job);
  });

  test("forgets a log that began anew", () => {
    const job = withEvent(withEvent(emptyJob("j"), event(7)), event(1, "SCENARIO_COMPLETED", { epoch: "b" }));
    expect(job.events.map(({ epoch, offset }) => [epoch, offset])).toEqual([["b", 1]]);
  });

  test("does not go back for a snapshot that is older than what it knows", () => {
    const job = withEvent(withSnapshot(emptyJob("j"), snapshot(2)), event(3, "JOB_FAILED", {
      data: { status: "FAILED", errorCode: "X", message: "m", failedAt: "GENERATING", lastSuccessfulScenario: null },
    }));
    expect(withSnapshot(job, snapshot(2))).toBe(job);
    expect(withActivity(job, snapshot(9, { currentActivity: { type: "T" } }))).toBe(job);
    expect(job).toMatchObject({ status: "FAILED", feed: "ended", failure: { errorCode: "X" } });
  });

  test("closes a gap in its history in order", () => {
    const job = withHistory(withEvent(withEvent(emptyJob("j"), event(1)), event(5)), [event(3), event(2), event(1), event(4)]);
    expect(job.events.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5]);
  });

  test.each([["PT7M", 420_000], ["PT1H2M3.5S", 3_723_500], ["P1DT1S", 86_401_000], ["7 min", null], [null, null]])(
    "%s takes %s ms", (text, ms) => expect(durationMs(text)).toBe(ms),
  );
});

const note = (id: string, more: Partial<Notification> = {}): Notification => ({
  id, type: "t", title: id, body: "", severity: "INFO", createdAt: `2026-01-28T10:00:0${id}.000Z`,
  seenAt: null, readAt: null, dismissedAt: null, scope: "USER", ...more,
});
const NOW = "2026-01-28T11:00:00.000Z";

describe("an inbox", () => {
  const loaded = (): inbox.InboxState =>
    inbox.withPage(inbox.emptyInbox(), "ALL", { items: [note("3"), note("2"), note("1")], nextCursor: null, unread: { count: 3, version: 5 } }, true);

  test("believes the highest version only", () => {
    const state = inbox.withUnread(loaded(), { count: 9, version: 4 });
    expect(state.count).toBe(3);
    expect(inbox.withUnread(state, { count: 0, version: 6 }).count).toBe(0);
  });

  test("counts a mark once, before its answer and after it", () => {
    const mark = { ids: ["1", "2"], as: "READ" as const };
    const delta = inbox.deltaOf(loaded(), mark, NOW);
    let state = inbox.withWaiting(loaded(), "c", mark, delta, NOW);
    expect(state.count).toBe(1);
    expect(inbox.withWaiting(state, "c", mark, delta, NOW).count).toBe(1);
    state = inbox.withUnread(inbox.withoutWaiting(state, "c"), { count: 1, version: 6 });
    expect(state.count).toBe(1);
    expect(inbox.view(state, "UNREAD").map(({ id }) => id)).toEqual(["3"]);
  });

  test("a mark of all leaves alone what is newer than upTo", () => {
    const state = inbox.withMark(loaded(), { ids: "all", as: "DISMISSED", upTo: "2" }, NOW);
    expect(inbox.view(state, "ALL").map(({ id }) => id)).toEqual(["3"]);
    expect(inbox.view(state, "DISMISSED").map(({ id }) => id)).toEqual(["2", "1"]);
  });

  test("an announcement counts one unless muted, and an update in place counts nothing", () => {
    const told = inbox.withNotification(loaded(), note("4", { scope: "ALL" }), false);
    expect(told.count).toBe(4);
    expect(inbox.withNotification(loaded(), note("4", { scope: "ALL" }), true)).toMatchObject({ count: 3 });
    expect(inbox.withNotification(told, note("4", { scope: "ALL" }), false).count).toBe(4);
    expect(inbox.withUnread(told, { count: 4, version: 6 }).count).toBe(4);
  });

  test("what ended is gone, and without a count what was unread of it counts less", () => {
    const read = inbox.withMark(loaded(), { ids: ["1"], as: "READ" }, NOW);
    const ended = inbox.withEnded(read, ["1", "2", "9"]);
    expect(inbox.view(ended, "ALL").map(({ id }) => id)).toEqual(["3"]);
    expect(ended.count).toBe(2);
    expect(inbox.withUnread(ended, { count: 1, version: 6 }).count).toBe(1);
    expect(inbox.withEnded(read, ["3"], { count: 2, version: 6 })).toMatchObject({ count: 2 });
  });

  test("shows a list as far as it is loaded, and nothing expired", () => {
    const page = { items: [note("3"), note("2", { expiresAt: "2026-01-28T10:30:00Z" })], nextCursor: "c", unread: { count: 3, version: 5 } };
    const state = inbox.withNotification(inbox.withPage(inbox.emptyInbox(), "ALL", page, true), note("1"), false);
    expect(inbox.view(state, "ALL", Date.parse(NOW)).map(({ id }) => id)).toEqual(["3"]);
    const more = inbox.withPage(state, "ALL", { items: [note("1")], nextCursor: null, unread: page.unread }, false);
    expect(inbox.view(more, "ALL", Date.parse(NOW)).map(({ id }) => id)).toEqual(["3", "1"]);
  });
});

describe.each<[string, () => Promise<Storage>]>([
  ["memory", () => Promise.resolve(new MemoryStorage())],
  ["IndexedDB", () => IndexedDbStorage.open(`test-${newId()}`)],
])("an outbox in %s", (_, open) => {
  const entry = (id = newId()): Waiting => ({ id, payload: { ids: ["1"], as: "READ" }, delta: -1, at: NOW });

  test("keeps the order of one millisecond, and an id once", async () => {
    const outbox = new Outbox(await open());
    const all = Array.from({ length: 20 }, () => entry());
    for (const each of [...all].reverse()) await outbox.add(each);
    await outbox.add(all[3]!);
    expect((await outbox.all()).map(({ id }) => id)).toEqual(all.map(({ id }) => id));
    await outbox.remove(all[0]!.id);
    await outbox.remove(all[0]!.id);
    expect(await outbox.all()).toHaveLength(19);
    outbox.close();
  });

  test("has a bound", async () => {
    const storage = await open();
    const outbox = new Outbox(storage);
    for (let n = 0; n < AT_MOST; n++) await storage.put(entry());
    await expect(outbox.add(entry())).rejects.toMatchObject({ code: "QUEUE_FULL" });
    outbox.close();
  });
});

test("IndexedDB has after a reload what was there before", async () => {
  const name = `test-${newId()}`;
  const before = await IndexedDbStorage.open(name);
  await before.put({ id: "1", payload: { ids: ["1"], as: "READ" }, delta: -1, at: NOW });
  before.close();
  const after = await IndexedDbStorage.open(name);
  expect((await after.all()).map(({ id }) => id)).toEqual(["1"]);
  after.close();
});

describe("credentials", () => {
  test("ask once for who asks at the same time, and again for a token that ends", async () => {
    let asked = 0;
    const credentials = new Credentials(() => mint("x".repeat(32), `u${++asked}`, {}, asked === 1 ? 10 : 3600));
    const [one, two] = await Promise.all([credentials.token(), credentials.token()]);
    expect(subjectOf(one!)).toBe("u1");
    expect(two).toBe(one);
    expect(subjectOf(await credentials.token())).toBe("u2");
    expect(subjectOf(await credentials.token())).toBe("u2");
    expect(subjectOf(await credentials.token(true))).toBe("u3");
  });

  test("read a name that is not ASCII, and nothing out of what is no token", () => {
    expect(subjectOf(mint("x".repeat(32), "joão"))).toBe("joão");
    expect(subjectOf("nothing")).toBeUndefined();
  });
});
