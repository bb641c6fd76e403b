/** The inbox as events and the user's own marks make it; its pages are in `pages.ts`. Pure: the same
 * input gives the same state. */
import { BELONGS, type Change, changed, isUnread, older, type Place } from "./items";
import type { EventData, Filter, MarkPayload, Notification, Unread } from "./protocol";

/** How far a list is loaded. `oldest`: the last item that came, null while there is none. */
export interface Extent {
  loaded: boolean;
  loading: boolean;
  nextCursor: string | null;
  oldest: Place | null;
  error: string | null;
  /** Something is to be in it that is not known here: it is to be loaded again. */
  stale: boolean;
  /** Announcements that came since its page was asked for, which may not have them. */
  fresh: string[];
}

/** A mark of the user's own. `delta`: what it will change the count by. `answered`: the version of
 * the inbox with it, once the hub has said that; the event that tells it may still come. */
export interface WaitingMark {
  mark: MarkPayload;
  change: Change;
  delta: number;
  answered?: number;
}

export interface InboxState {
  /** All that is known, newest first, whatever its state. Show `view(state, filter)`. */
  items: Notification[];
  /** Unread ones: the hub's count, and what this client knows beyond that. */
  count: number;
  unread: Unread;
  /** Announcements since `unread`, which do not bring a count. */
  announced: number;
  /** The items as the hub told them; `items` are these with the marks that wait, oldest first. */
  told: Notification[];
  waiting: Record<string, WaitingMark>;
  /** The highest version of the inbox of which something was told, by a page or an event. */
  at: number;
  /** Of items from pages, by id: the version whose changes they have, while events of before it may
   * still come. */
  paged: Record<string, number>;
  lists: Record<Filter, Extent>;
}

const nothing: Extent = {
  loaded: false, loading: false, nextCursor: null, oldest: null, error: null, stale: false, fresh: [],
};

const FILTERS: readonly Filter[] = ["UNREAD", "ALL", "DISMISSED"];

export function emptyInbox(): InboxState {
  return {
    items: [], count: 0, unread: { count: 0, version: -1 }, announced: 0,
    told: [], waiting: {}, at: -1, paged: {},
    lists: { UNREAD: nothing, ALL: nothing, DISMISSED: nothing },
  };
}

/** The items of one list, newest first, as far as it is loaded. `now`: ms, for what expires. */
export function view(state: InboxState, filter: Filter, now = Date.now()): Notification[] {
  return state.items.filter(
    (item) => reaches(state.lists, filter, item) && !(item.expiresAt && Date.parse(item.expiresAt) <= now),
  );
}

function reaches(lists: InboxState["lists"], filter: Filter, item: Notification): boolean {
  const { loaded, nextCursor, oldest } = lists[filter];
  const end = loaded && nextCursor !== null ? oldest : null;
  return BELONGS[filter](item) && !(end && older(item, end));
}

/** The state without items that are in no list as far as that is loaded: what becomes of them may not
 * be told. */
export function withListedOnly(state: InboxState): InboxState {
  const isListed = (filter: Filter, item: Notification): boolean => {
    const { loaded, loading } = state.lists[filter];
    return loading ? BELONGS[filter](item) : loaded && reaches(state.lists, filter, item);
  };
  return withTold(state, state.told.filter((item) => FILTERS.some((filter) => isListed(filter, item))), state.paged);
}

/** The state with these items; versions of others are forgotten. */
export function withTold(state: InboxState, told: Notification[], paged: InboxState["paged"]): InboxState {
  const known = new Set(told.map(({ id }) => id));
  return shown({ ...state, told, paged: where(paged, (_, id) => known.has(id)) });
}

/** The state with what follows from the rest of it: what is shown, and the count. */
export function shown(state: InboxState): InboxState {
  const waiting = Object.values(state.waiting);
  const beyond = waiting.reduce((sum, { delta }) => sum + delta, state.announced);
  return {
    ...state,
    items: waiting.reduce((items, { change }) => changed(items, change), state.told),
    count: Math.max(0, state.unread.count + beyond),
  };
}

/** The state with what the hub says is unread; an older version says nothing. */
export function withUnread(state: InboxState, unread: Unread | undefined): InboxState {
  if (!unread || unread.version < state.unread.version) return state;
  return shown({ ...state, unread, announced: 0 });
}

/** The state in which lists that were asked for are to be loaded again, all or all but one. */
export function withStale(state: InboxState, but?: Filter): InboxState {
  return withLists(state, (list, filter) => ({ stale: list.stale || (filter !== but && (list.loaded || list.loading || list.error !== null)) }));
}

export function withLists(state: InboxState, change: (list: Extent, filter: Filter) => Partial<Extent>): InboxState {
  const lists = { ...state.lists };
  for (const filter of FILTERS) lists[filter] = { ...lists[filter], ...change(lists[filter], filter) };
  return { ...state, lists };
}

// -- what the hub tells ---------------------------------------------------------------------------

/** The state after a change. `version`: of the inbox with it, which an announcement does not bring. */
function withChange(state: InboxState, change: Change, version: number | undefined): InboxState {
  const { paged } = state;
  // what is known has it already: from a page or, as an announcement comes once, from its event
  const has = (id: string): boolean => (version === undefined ? change.kind === "came" : version <= (paged[id] ?? -1));
  const told = changed(state.told, change, has);
  if (version === undefined) return withTold(state, told, paged);
  return withTold(withVersion(state, version), told, where(paged, (at) => at >= version));
}

/** The state when something of that version is told: answered marks up to it are told, too. */
export function withVersion(state: InboxState, version: number): InboxState {
  const waiting = where(state.waiting, ({ answered }) => !(answered! <= version));
  return { ...state, at: Math.max(state.at, version), waiting };
}

function where<Value>(values: Record<string, Value>, test: (value: Value, id: string) => boolean): Record<string, Value> {
  return Object.fromEntries(Object.entries(values).filter(([id, value]) => test(value, id)));
}

/** The state with a notification that came, or that was updated in place. */
export function withNotification(
  state: InboxState, data: EventData["NOTIFICATION_CREATED"], muted: boolean,
): InboxState {
  const { unread, updated: _, ...item } = data;
  if (muted && !unread) return state;
  const known = state.told.some((each) => each.id === item.id);
  const next = withChange(state, { kind: "came", item }, unread?.version);
  if (unread) return withUnread(next, unread);
  if (known) return next;
  const fresh = withLists(next, (list) => (list.loading ? { fresh: [...list.fresh, item.id] } : {}));
  return shown({ ...fresh, announced: next.announced + 1 });
}

/** A mark as a change of these items; null for one of all up to an item that is not among them. */
function changeOf(items: Notification[], { ids, as, upTo }: MarkPayload, at: string): Change | null {
  if (ids !== "all") return { kind: "mark", as, at, ids };
  const last = items.find((item) => item.id === upTo);
  if (upTo !== undefined && !last) return null;
  const known = items.filter((item) => !item.dismissedAt && !(last && older(last, item)));
  const place = last && { upTo: { createdAt: last.createdAt, id: last.id } };
  return { kind: "mark", as, at, ids: known.map((item) => item.id), ...place };
}

/** The state after a mark that the hub told. `version`: of the inbox with it. */
export function withMark(state: InboxState, mark: MarkPayload, at: string, version?: number): InboxState {
  const change = changeOf(state.told, mark, at);
  const next = change ? withChange(state, change, version) : state;
  const isUnsure = !change || (mark.ids === "all" && mark.upTo === undefined); // up to when?
  if (isUnsure) return withStale(withListedOnly(next));
  const { ids } = mark;
  const known = state.told.filter((item) => ids.includes(item.id));
  const isWhole = ids !== "all" && known.length === new Set(ids).size;
  return isWhole || mark.as === "SEEN" || mark.as === "READ" ? next : withStale(next); // lists may gain some
}

/** The state without what has ended. Without a count, what is known as unread is that much less. */
export function withEnded(state: InboxState, ids: string[], unread?: Unread): InboxState {
  const next = withChange(state, { kind: "ended", ids }, unread?.version);
  if (unread) return withUnread(next, unread);
  return shown({ ...next, announced: next.announced + unreadOf(next.told) - unreadOf(state.told) });
}

const unreadOf = (items: Notification[]): number => items.filter(isUnread).length;

// -- what the user does ---------------------------------------------------------------------------

/** What a mark will change the count by, as far as this client can know. */
export function deltaOf(state: InboxState, mark: MarkPayload, at: string): number {
  if (mark.ids === "all" && (mark.as === "READ" || mark.as === "DISMISSED")) return -state.count;
  const change = changeOf(state.items, mark, at);
  return change ? unreadOf(changed(state.items, change)) - unreadOf(state.items) : 0;
}

/** The state with a mark on its way, until `withoutWaiting`; of one id the first counts. */
export function withWaiting(state: InboxState, id: string, mark: MarkPayload, delta: number, at: string): InboxState {
  const change = changeOf(state.items, mark, at);
  if (state.waiting[id] || !change) return state;
  return shown({ ...state, waiting: { ...state.waiting, [id]: { mark, change, delta } } });
}

/** The state in which the hub has carried out a mark and counted it: it is shown until it is told. */
export function withAnswered(state: InboxState, id: string, unread: Unread): InboxState {
  const mark = state.waiting[id];
  if (!mark) return withUnread(state, unread);
  const waiting = { ...state.waiting, [id]: { ...mark, delta: 0, answered: unread.version } };
  return withUnread(shown({ ...state, waiting }), unread);
}

/** The state without a mark: it was told, or changed nothing, or will never be carried out. */
export function withoutWaiting(state: InboxState, id: string): InboxState {
  const { [id]: _, ...waiting } = state.waiting;
  return shown({ ...state, waiting });
}

/** The state without the first of the marks that were sent that this is, as the hub tells it: of ids
 * only those that it changed. `sending`: the one that is not answered yet. */
export function withoutTold(state: InboxState, told: MarkPayload, sending: string | undefined): InboxState {
  const found = Object.entries(state.waiting).find(([id, { mark, answered }]) => {
    if ((id !== sending && answered === undefined) || told.as !== mark.as || told.upTo !== mark.upTo) return false;
    if (told.ids === "all" || mark.ids === "all") return told.ids === mark.ids;
    return told.ids.every((each) => mark.ids.includes(each));
  });
  return found ? withoutWaiting(state, found[0]) : state;
}
