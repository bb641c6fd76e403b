import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as inbox from "../src/inbox";
import { isUnread, marked } from "../src/items";
import { withLoading, withPage } from "../src/pages";
import type { Filter, Mark, MarkPayload, Notification, NotificationPage, Unread } from "../src/protocol";

const note = (id: string, more: Partial<Notification> = {}): Notification => ({
  id, type: "t", title: id, body: "", severity: "INFO", createdAt: `2026-01-28T10:00:0${id}.000Z`,
  seenAt: null, readAt: null, dismissedAt: null, scope: "USER", ...more,
});
const NOW = "2026-01-28T11:00:00.000Z";

describe("an inbox", () => {
  const loaded = (): inbox.InboxState =>
    withPage(inbox.emptyInbox(), "ALL", { items: [note("3"), note("2"), note("1")], nextCursor: null, unread: { count: 3, version: 5 } }, true);

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
    state = inbox.withAnswered(state, "c", { count: 1, version: 6 });
    expect(state.count).toBe(1);
    state = inbox.withMark(state, mark, NOW, 6);
    expect(state).toMatchObject({ count: 1, waiting: {} });
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
    const state = inbox.withNotification(withPage(inbox.emptyInbox(), "ALL", page, true), note("1"), false);
    expect(inbox.view(state, "ALL", Date.parse(NOW)).map(({ id }) => id)).toEqual(["3"]);
    const more = withPage(state, "ALL", { items: [note("1")], nextCursor: null, unread: page.unread }, false);
    expect(inbox.view(more, "ALL", Date.parse(NOW)).map(({ id }) => id)).toEqual(["3", "1"]);
  });

  test("a page that was made before a mark does not take the mark back", () => {
    const mark = { ids: ["2"], as: "DISMISSED" as const };
    const marks = withLoading(inbox.withWaiting(loaded(), "c", mark, -1, NOW), "DISMISSED");
    const before = { items: [], nextCursor: null, unread: { count: 3, version: 5 } };
    const shown = (state: inbox.InboxState): string[] => inbox.view(state, "DISMISSED").map(({ id }) => id);
    expect(shown(withPage(marks, "DISMISSED", before, true))).toEqual(["2"]);
    const answered = inbox.withAnswered(marks, "c", { count: 2, version: 6 });
    expect(shown(withPage(answered, "DISMISSED", before, true))).toEqual(["2"]);
    const told = inbox.withoutTold(inbox.withMark(answered, mark, NOW, 6), mark, undefined);
    expect(told.waiting).toEqual({});
    expect(shown(withPage(told, "DISMISSED", before, true))).toEqual(["2"]);
    const refused = withPage(inbox.withoutWaiting(marks, "c"), "ALL", { ...before, items: [note("2")] }, true);
    expect(shown(refused)).toEqual([]);
  });

  test("a page leaves alone what it does not reach", () => {
    const unread = withPage(inbox.emptyInbox(), "UNREAD", { items: [note("3"), note("2"), note("1")], nextCursor: null, unread: { count: 3, version: 5 } }, true);
    const state = withPage(unread, "ALL", { items: [note("3")], nextCursor: "c", unread: { count: 3, version: 5 } }, true);
    expect(inbox.view(state, "UNREAD").map(({ id }) => id)).toEqual(["3", "2", "1"]);
    expect(inbox.view(state, "ALL").map(({ id }) => id)).toEqual(["3"]);
  });

  test("a mark of all up to what is not known marks nothing, and has the lists loaded again", () => {
    const state = inbox.withMark(loaded(), { ids: "all", as: "READ", upTo: "0" }, NOW);
    expect(inbox.view(state, "UNREAD")).toHaveLength(3);
    expect(state.lists.ALL.stale).toBe(true);
  });

  test("a page that an event has overtaken is asked for again", () => {
    const heard = inbox.withMark(withLoading(loaded(), "ALL"), { ids: ["1"], as: "READ" }, NOW, 6);
    const state = withPage(heard, "ALL", { items: [note("1")], nextCursor: null, unread: { count: 3, version: 5 } }, true);
    expect(inbox.view(state, "ALL")).toHaveLength(3);
    expect(state.lists.ALL).toMatchObject({ stale: true, loading: false });
  });
});

const FILTERS: readonly Filter[] = ["UNREAD", "ALL", "DISMISSED"];
const MARKS: readonly Mark[] = ["SEEN", "READ", "UNREAD", "DISMISSED", "RESTORED"];
const PAGE = 3;

/** A hub, a client of it, and what is on its way between them: events and answers each come in their
 * order, but either may overtake the other. */
class World {
  state = inbox.emptyInbox();
  #items: Notification[] = [];
  #version = 0;
  #made = 0;
  #marks = 0;
  #allMarked = 0; // at this version
  readonly #events: ((state: inbox.InboxState) => inbox.InboxState)[] = [];
  readonly #pages = new Map<Filter, { more: boolean; cursor: string | null; version?: number; page?: NotificationPage }>();
  readonly #waiting: { id: string; mark: MarkPayload }[] = [];
  #sent: { id: string; changed: number; unread: Unread } | undefined;

  create(scope: "USER" | "ALL"): void {
    const id = String(++this.#made).padStart(4, "0");
    const item: Notification = {
      id, type: "t", title: id, body: "", severity: "INFO", createdAt: new Date(1_800_000_000_000 + Math.floor(this.#made / 2)).toISOString(),
      seenAt: null, readAt: null, dismissedAt: null, scope,
    };
    this.#items.unshift(item);
    this.#version++;
    const unread = scope === "USER" ? { unread: this.#unread() } : {};
    this.#events.push((state) => inbox.withNotification(state, { ...item, ...unread }, false));
  }

  mark(as: Mark, which: number[] | null, upTo: number | null): void {
    const ids = which && [...new Set(which.flatMap((n) => this.#items[n % Math.max(1, this.#items.length)]?.id ?? []))];
    if (ids?.length === 0 || !this.#items.length) return;
    this.#carryOut({ ids: ids ?? "all", as, ...(ids || upTo === null ? {} : { upTo: this.#items[upTo % this.#items.length]!.id }) });
  }

  /** A mark of the client's own, of what it shows. */
  markHere(as: Mark, which: number[] | null): void {
    const { items } = this.state;
    if (!items.length) return;
    const ids = which && [...new Set(which.map((n) => items[n % items.length]!.id))];
    const mark: MarkPayload = ids ? { ids, as } : { ids: "all", as, upTo: items[0]!.id };
    const id = `own-${this.#marks++}`;
    this.state = inbox.withWaiting(this.state, id, mark, inbox.deltaOf(this.state, mark, NOW), NOW);
    this.#waiting.push({ id, mark });
  }

  takeMark(): void {
    const next = this.#sent ? undefined : this.#waiting.shift();
    if (!next) return;
    const changed = this.#carryOut(next.mark);
    this.#sent = { id: next.id, changed, unread: this.#unread() };
  }

  answerMark(): void {
    if (!this.#sent) return;
    const { id, changed, unread } = this.#sent;
    this.#sent = undefined;
    if (!changed) this.state = inbox.withoutWaiting(this.state, id);
    this.state = inbox.withAnswered(this.state, id, unread);
  }

  end(which: number): void {
    const [gone] = this.#items.splice(which % Math.max(1, this.#items.length), 1);
    if (!gone) return;
    this.#version++;
    const unread = this.#unread();
    this.#events.push((state) => inbox.withEnded(state, [gone.id], unread));
  }

  hear(): void {
    const next = this.#events.shift();
    if (next) this.state = next(this.state);
  }

  ask(filter: Filter, more: boolean): void {
    const list = this.state.lists[filter];
    if (list.loading || (more && !list.nextCursor)) return;
    this.state = withLoading(this.state, filter);
    this.#pages.set(filter, { more, cursor: more ? list.nextCursor : null });
  }

  /** The hub begins a page with its version, and goes on with what the page has, which may be newer.
   * Not where a mark of all comes between: whom it was for, a client cannot know then. */
  make(filter: Filter): void {
    const asked = this.#pages.get(filter);
    if (!asked || asked.page) return;
    if (asked.version === undefined || asked.version < this.#allMarked) {
      asked.version = this.#version;
      return;
    }
    const rest = this.#list(filter).filter((item) => !asked.cursor || item.id < asked.cursor);
    const items = rest.slice(0, PAGE).map((item) => ({ ...item }));
    asked.page = {
      items, nextCursor: rest.length > PAGE ? items.at(-1)!.id : null,
      unread: { count: this.#unread().count, version: asked.version },
    };
  }

  answerPage(filter: Filter): void {
    const { page, more } = this.#pages.get(filter) ?? {};
    if (!page) return;
    this.#pages.delete(filter);
    this.state = withPage(this.state, filter, page, !more);
  }

  /** As the engine does: what is stale is asked for. */
  refresh(): void {
    for (const filter of FILTERS) if (this.state.lists[filter].stale) this.ask(filter, false);
  }

  settle(): void {
    this.create("USER"); // brings the count
    const busy = (): boolean => Boolean(this.#events.length || this.#pages.size || this.#waiting.length || this.#sent);
    for (let rounds = 0; busy(); rounds++) {
      if (rounds > 1000) throw new Error("it never comes to rest");
      this.hear();
      this.takeMark();
      this.answerMark();
      for (const filter of FILTERS) {
        this.make(filter);
        this.answerPage(filter);
      }
      this.refresh();
    }
  }

  /** What a list shows here, and what it is to show. */
  compare(filter: Filter): [here: object[], there: object[]] {
    const { loaded, nextCursor, oldest } = this.state.lists[filter];
    if (!loaded) return [[], []];
    const there = this.#list(filter).filter((item) => nextCursor === null || !(oldest && item.id < oldest.id));
    const told = (items: Notification[]): object[] =>
      items.map(({ id, seenAt, readAt, dismissedAt }) => ({ id, seen: Boolean(seenAt), read: Boolean(readAt), dismissed: Boolean(dismissedAt) }));
    return [told(inbox.view(this.state, filter, 0)), told(there)];
  }

  counts(): [here: number, there: number] {
    return [this.state.count, this.#unread().count];
  }

  #list(filter: Filter): Notification[] {
    return this.#items.filter((item) => (filter === "DISMISSED" ? item.dismissedAt : !item.dismissedAt && (filter === "ALL" || !item.readAt)));
  }

  #unread(): Unread {
    return { count: this.#items.filter(isUnread).length, version: this.#version };
  }

  #carryOut(mark: MarkPayload): number {
    const meant = ({ id, dismissedAt }: Notification): boolean =>
      mark.ids === "all" ? !dismissedAt && !(mark.upTo && id > mark.upTo) : mark.ids.includes(id);
    const before = this.#items;
    this.#items = before.map((item) => (meant(item) ? marked(item, mark.as, NOW) : item));
    const ids = before.filter((item, n) => item !== this.#items[n]).map(({ id }) => id);
    if (!ids.length) return 0;
    this.#version++;
    const unread = this.#unread();
    const told = mark.ids === "all" ? mark : { ...mark, ids };
    if (mark.ids === "all") this.#allMarked = this.#version;
    this.#events.push((state) => {
      const next = inbox.withMark(state, told, NOW, unread.version);
      return inbox.withUnread(inbox.withoutTold(next, told, this.#sent?.id), unread);
    });
    return ids.length;
  }
}

const filters = fc.constantFrom(...FILTERS);
const marks = fc.constantFrom(...MARKS);
const some = fc.option(fc.array(fc.nat(12), { minLength: 1, maxLength: 3 }), { freq: 4 });
type Step = (world: World) => void;

/** A step that says in a counterexample what it does. */
function step<Name extends "create" | "mark" | "markHere" | "end" | "hear" | "takeMark" | "answerMark" | "ask" | "make" | "answerPage">(
  name: Name, args: fc.Arbitrary<Parameters<World[Name]>>,
): fc.Arbitrary<Step> {
  return args.map((given) => {
    const run: Step = (world) => (world[name] as (...given: unknown[]) => void).apply(world, given);
    return Object.assign(run, { [fc.toStringMethod]: () => `${name}(${fc.stringify(given).slice(1, -1)})` });
  });
}

const steps = fc.array(fc.oneof(
  step("create", fc.tuple(fc.constantFrom("USER" as const, "ALL" as const))),
  step("mark", fc.tuple(marks, some, fc.option(fc.nat(12)))),
  step("markHere", fc.tuple(marks, some)),
  step("end", fc.tuple(fc.nat(12))),
  step("takeMark", fc.tuple()),
  step("answerMark", fc.tuple()),
  step("ask", fc.tuple(filters, fc.boolean())),
  step("answerPage", fc.tuple(filters)),
  { weight: 2, arbitrary: step("hear", fc.tuple()) },
  { weight: 2, arbitrary: step("make", fc.tuple(filters)) },
), { maxLength: 100, size: "max" });

test("whatever overtakes what, every list and the count end as the hub has them", () => {
  fc.assert(fc.property(fc.nat(8), steps, (old, life) => {
    const world = new World();
    for (let n = 0; n < old; n++) world.create("USER");
    for (const each of life) {
      each(world);
      world.refresh();
    }
    world.settle();
    for (const filter of FILTERS) {
      const [here, there] = world.compare(filter);
      expect(here, filter).toEqual(there);
    }
    const [here, there] = world.counts();
    expect(here).toBe(there);
  }), { numRuns: 10_000 });
});
