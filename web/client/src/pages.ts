/** How pages come into the inbox. A page is what the hub had at one version of the inbox. */
import { type Extent, type InboxState, withListedOnly, withLists, withStale, withTold, withUnread, withVersion } from "./inbox";
import { BELONGS, merged, older, type Place } from "./items";
import type { Filter, NotificationPage } from "./protocol";

export function withLoading(state: InboxState, filter: Filter): InboxState {
  return withList(state, filter, { loading: true, error: null, stale: false, fresh: [] });
}

export function withLoadError(state: InboxState, filter: Filter, error: string): InboxState {
  return withList(state, filter, { loading: false, error, stale: false });
}

/** The state with a page of a list that was asked for; `first`: the list begins anew with it. One that
 * was overtaken by something of a higher version is to be asked for again. */
export function withPage(
  state: InboxState, filter: Filter, page: NotificationPage, first: boolean,
): InboxState {
  const { version } = page.unread;
  if (version < state.at) return withList(state, filter, { loading: false, stale: true });
  const { oldest: before, fresh } = state.lists[filter];
  const begin = first ? null : before;
  const last = page.items.at(-1);
  const oldest = last ? { createdAt: last.createdAt, id: last.id } : begin;
  const end = page.nextCursor === null ? null : oldest;

  const kept = state.told.filter((item) => fresh.includes(item.id) || !BELONGS[filter](item) || !within(item, begin, end));
  const told = merged(kept, page.items);
  const known = new Set(told.map(({ id }) => id));
  const isLeft = state.told.some(({ id }) => !known.has(id)); // the list: where is it now?
  const paged = { ...state.paged, ...Object.fromEntries(page.items.map(({ id }) => [id, version])) };
  const next = withList(withTold(withVersion(state, version), told, paged), filter, {
    loaded: true, loading: false, error: null, nextCursor: page.nextCursor, oldest, fresh: [],
  });
  const rest = first ? withListedOnly(next) : next;
  return withUnread(isLeft ? withStale(rest, filter) : rest, page.unread);
}

/** Whether a place is after `begin`, and not after `end`; null is no limit. */
function within(place: Place, begin: Place | null, end: Place | null): boolean {
  return !(begin && !older(place, begin)) && !(end && older(place, end));
}

function withList(state: InboxState, filter: Filter, change: Partial<Extent>): InboxState {
  return withLists(state, (_, each) => (each === filter ? change : {}));
}
