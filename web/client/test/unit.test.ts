import "fake-indexeddb/auto";
import { describe, expect, test } from "vitest";
import { pollDelay, reconnectDelay } from "../src/backoff";
import { durationMs, emptyJob, withActivity, withEvent, withHistory, withSnapshot } from "../src/job";
import { AT_MOST, IndexedDbStorage, MemoryStorage, newId, Outbox, type Storage, type Waiting } from "../src/outbox";
import type { Envelope, JobSnapshot } from "../src/protocol";
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

describe.each<[string, () => Promise<Storage>]>([
  ["memory", () => Promise.resolve(new MemoryStorage())],
  ["IndexedDB", () => IndexedDbStorage.open(`test-${newId()}`)],
])("an outbox in %s", (_, open) => {
  const entry = (id = newId()): Waiting => ({ id, payload: { ids: ["1"], as: "READ" }, delta: -1, at: "2026-01-28T11:00:00.000Z" });

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
  await before.put({ id: "1", payload: { ids: ["1"], as: "READ" }, delta: -1, at: "2026-01-28T11:00:00.000Z" });
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
