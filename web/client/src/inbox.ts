/** The inbox as pages and events make it. Pure: the same input gives the same state. */
import type { EventData, Filter, Mark, MarkPayload, Notification, NotificationPage, Unread } from "./protocol";

/** How far a list is loaded. `oldest`: the last item that came, null while there is none. */
export interface Extent {
  loaded: boolean;
  loading: boolean;
  nextCursor: string | null;
  oldest: { createdAt: string; id: string } | null;
  error: string | null;
}

export interface InboxState {
  /** All that is known, newest first, whatever its state. Show `view(state, filter)`. */
  items: Notification[];
  /** Unread ones: the hub's count, and what this client knows beyond that. */
  count: number;
  unread: Unread;
  /** Announcements since `unread`, which do not bring a count. */
  announced: number;
  /** What marks that wait will change the count by, by their id. */
  waiting: Record<string, number>;
  lists: Record<Filter, Extent>;
}

const KEPT = 1000;
const nothing: Extent = { loaded: false, loading: false, nextCursor: null, oldest: null, error: null };

export function emptyInbox(): InboxState {
  return {
    items: [], count: 0, unread: { count: 0, version: -1 }, announced: 0, waiting: {},
    lists: { UNREAD: nothing, ALL: nothing, DISMISSED: nothing },
  };
}

export const isUnread = (item: Notification): boolean => !item.readAt && !item.dismissedAt;

const BELONGS: Record<Filter, (item: Notification) => boolean> = {
  UNREAD: isUnread,
  ALL: (item) => !item.dismissedAt,
  DISMISSED: (item) => Boolean(item.dismissedAt),
};

const older = (a: { createdAt: string; id: string }, b: { createdAt: string; id: string }): boolean =>
  a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.id < b.id);

/** The items of one list, newest first, as far as it is loaded. `now`: ms, for what expires. */
export function view(state: InboxState, filter: Filter, now = Date.now()): Notification[] {
  const { loaded, nextCursor, oldest } = state.lists[filter];
  const end = loaded && nextCursor !== null ? oldest : null;
  return state.items.filter(
    (item) =>
      BELONGS[filter](item) &&
      !(end && older(item, end)) &&
      !(item.expiresAt && Date.parse(item.expiresAt) <= now),
  );
}

function counted(state: InboxState): InboxState {
  const waiting = Object.values(state.waiting).reduce((sum, delta) => sum + delta, 0);
  return { ...state, count: Math.max(0, state.unread.count + state.announced + waiting) };
}

function merged(items: readonly Notification[], more: readonly Notification[]): Notification[] {
  const all = new Map(items.map((item) => [item.id, item]));
  for (const item of more) all.set(item.id, item);
  return [...all.values()].sort((a, b) => (older(a, b) ? 1 : -1)).slice(0, KEPT);
}

/** The state with what the hub says is unread; an older version says nothing. */
export function withUnread(state: InboxState, unread: Unread | undefined): InboxState {
  if (!unread || unread.version < state.unread.version) return state;
  return counted({ ...state, unread, announced: 0 });
}

export function withLoading(state: InboxState, filter: Filter): InboxState {
  const list = { ...state.lists[filter], loading: true, error: null };
  return { ...state, lists: { ...state.lists, [filter]: list } };
}

export function withLoadError(state: InboxState, filter: Filter, error: string): InboxState {
  const list = { ...state.lists[filter], loading: false, error };
  return { ...state, lists: { ...state.lists, [filter]: list } };
}

/** The state with a page of a list; `first`: it replaces what was known of that list. */
export function withPage(
  state: InboxState, filter: Filter, page: NotificationPage, first: boolean,
): InboxState {
  const kept = first ? state.items.filter((item) => !BELONGS[filter](item)) : state.items;
  const last = page.items.at(-1);
  const list: Extent = {
    loaded: true, loading: false, error: null, nextCursor: page.nextCursor,
    oldest: last ? { createdAt: last.createdAt, id: last.id } : first ? null : state.lists[filter].oldest,
  };
  const lists = { ...state.lists, [filter]: list };
  return withUnread({ ...state, items: merged(kept, page.items), lists }, page.unread);
}

/** The state with a notification that came, or that was updated in place. */
export function withNotification(
  state: InboxState, data: EventData["NOTIFICATION_CREATED"], muted: boolean,
): InboxState {
  const { unread, updated: _, ...item } = data;
  if (muted && !unread) return state;
  const known = state.items.some((each) => each.id === item.id);
  const next = { ...state, items: merged(state.items, [item]) };
  if (unread) return withUnread(next, unread);
  return counted(known ? next : { ...next, announced: next.announced + 1 });
}

/** What a mark makes of one item. `at`: an ISO time. */
export function marked(item: Notification, as: Mark, at: string): Notification {
  switch (as) {
    case "SEEN": return item.seenAt ? item : { ...item, seenAt: at };
    case "READ": return item.readAt ? item : { ...item, seenAt: item.seenAt ?? at, readAt: at };
    case "UNREAD": return item.readAt ? { ...item, readAt: null } : item;
    case "DISMISSED": return item.dismissedAt ? item : { ...item, dismissedAt: at };
    case "RESTORED": return item.dismissedAt ? { ...item, dismissedAt: null } : item;
  }
}

/** Which of the known items a mark is for. */
function meant(state: InboxState, ids: string[] | "all", upTo?: string): (item: Notification) => boolean {
  if (ids !== "all") {
    const wanted = new Set(ids);
    return (item) => wanted.has(item.id);
  }
  const last = upTo === undefined ? undefined : state.items.find((item) => item.id === upTo);
  return (item) => !item.dismissedAt && !(last && older(last, item));
}

/** The items after a mark, here or on another device. */
export function withMark(state: InboxState, mark: MarkPayload, at: string): InboxState {
  const wanted = meant(state, mark.ids, mark.upTo);
  let changed = false;
  const items = state.items.map((item) => {
    const next = wanted(item) ? marked(item, mark.as, at) : item;
    changed ||= next !== item;
    return next;
  });
  return changed ? { ...state, items } : state;
}

/** The state without what has ended. Without a count, what is known as unread is that much less. */
export function withEnded(state: InboxState, ids: string[], unread?: Unread): InboxState {
  const ended = new Set(ids);
  const items = state.items.filter((item) => !ended.has(item.id));
  const gone = state.items.filter((item) => ended.has(item.id) && isUnread(item)).length;
  const next = { ...state, items };
  return unread ? withUnread(next, unread) : counted({ ...next, announced: next.announced - gone });
}

/** What a mark will change the count by, as far as this client can know. */
export function deltaOf(state: InboxState, mark: MarkPayload, at: string): number {
  const unread = (items: Notification[]): number => items.filter(isUnread).length;
  if (mark.ids === "all" && (mark.as === "READ" || mark.as === "DISMISSED")) return -state.count;
  return unread(withMark(state, mark, at).items) - unread(state.items);
}

/** The state with a mark on its way, until `withoutWaiting`. */
export function withWaiting(state: InboxState, id: string, mark: MarkPayload, delta: number, at: string): InboxState {
  return counted({ ...withMark(state, mark, at), waiting: { ...state.waiting, [id]: delta } });
}

export function withoutWaiting(state: InboxState, id: string): InboxState {
  if (!(id in state.waiting)) return state;
  const { [id]: _, ...waiting } = state.waiting;
  return counted({ ...state, waiting });
}
