/** Notifications as a list that changes. Pure: the same input gives the same list. */
import type { Filter, Mark, Notification } from "./protocol";

/** Where an item stands: lists go from the newest to the oldest. */
export interface Place {
  createdAt: string;
  id: string;
}

/** What happens to items. `ids` of a mark: those named or, of all, those known that it is for; with
 * `upTo` it is also for those not known that are neither dismissed nor newer. */
export type Change =
  | { kind: "came"; item: Notification }
  | { kind: "mark"; as: Mark; at: string; ids: string[]; upTo?: Place }
  | { kind: "ended"; ids: string[] };

export const KEPT = 1000;

export const isUnread = (item: Notification): boolean => !item.readAt && !item.dismissedAt;

export const BELONGS: Record<Filter, (item: Notification) => boolean> = {
  UNREAD: isUnread,
  ALL: (item) => !item.dismissedAt,
  DISMISSED: (item) => Boolean(item.dismissedAt),
};

export const older = (a: Place, b: Place): boolean =>
  a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.id < b.id);

/** Both, newest first; of one id the item of `more`. */
export function merged(items: readonly Notification[], more: readonly Notification[]): Notification[] {
  const all = new Map(items.map((item) => [item.id, item]));
  for (const item of more) all.set(item.id, item);
  return [...all.values()].sort((a, b) => (older(a, b) ? 1 : -1)).slice(0, KEPT);
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

/** Items after a change, but for those that `has` it already. */
export function changed(
  items: Notification[], change: Change, has: (id: string) => boolean = () => false,
): Notification[] {
  switch (change.kind) {
    case "came": {
      const { item } = change;
      return has(item.id) && items.some(({ id }) => id === item.id) ? items : merged(items, [item]);
    }
    case "mark": {
      const { as, at, ids, upTo } = change;
      const named = new Set(ids);
      return items.map((item) => {
        const isMeant = named.has(item.id) || (upTo && !item.dismissedAt && !older(upTo, item));
        return isMeant && !has(item.id) ? marked(item, as, at) : item;
      });
    }
    case "ended": {
      const ended = new Set(change.ids);
      return items.filter((item) => !ended.has(item.id));
    }
  }
}
