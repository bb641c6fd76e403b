/** The SDK's stores as React hooks. */
import { createContext, useContext, useEffect, useSyncExternalStore } from "react";
import { type ConnectionState, emptyJob, type Filter, type HubClient, type InboxState, type JobState, type Mark, type Notification, type Readable, view } from "@notification-hub/client";

export const HubContext = createContext<HubClient | null>(null);

/** The client of the `<HubContext value={…}>` around. */
export function useHub(): HubClient {
  const hub = useContext(HubContext);
  if (!hub) throw new Error("useHub: there is no <HubContext> around");
  return hub;
}

/** Any store of the SDK. `store` must be the same one from render to render, as hooks below keep it. */
export function useReadable<Value>(store: Readable<Value>): Value {
  const { subscribe, get } = bound(store);
  return useSyncExternalStore(subscribe, get, get);
}

/** A job's progress, followed while the component is mounted. */
export function useJobProgress(jobId: string | null): JobState {
  return useReadable(jobStore(useHub(), jobId));
}

export interface UsedInbox {
  items: Notification[];
  count: number;
  loading: boolean;
  error: string | null;
  hasMore: boolean;
  loadMore(): void;
  mark(ids: string[] | "all", as: Mark): Promise<void>;
}

/** One list of the inbox, loaded when it is first shown. */
export function useInbox(filter: Filter = "UNREAD"): UsedInbox {
  const hub = useHub();
  const state: InboxState = useReadable(hub.inbox());
  const { loaded, loading, error, nextCursor } = state.lists[filter];
  useEffect(() => {
    if (!loaded) void hub.load(filter).catch(() => {}); // the list says it
  }, [hub, filter, loaded]);
  return {
    items: view(state, filter), count: state.count, loading: loading || !loaded, error, hasMore: nextCursor !== null,
    loadMore: () => void hub.loadMore(filter).catch(() => {}),
    mark: (ids, as) => hub.mark(ids, as),
  };
}

export const useConnection = (): ConnectionState => useReadable(useHub().connection());

type Bound<Value> = { subscribe(changed: () => void): () => void; get(): Value };
const known = new WeakMap<object, Bound<unknown>>();

function bound<Value>(store: Readable<Value>): Bound<Value> {
  let found = known.get(store) as Bound<Value> | undefined;
  if (!found) known.set(store, (found = { subscribe: (changed) => store.subscribe(changed), get: () => store.get() }));
  return found;
}

const jobs = new WeakMap<HubClient, Map<string, Readable<JobState>>>();
const none = emptyJob("");
const NO_JOB: Readable<JobState> = { get: () => none, subscribe: () => () => {} };

function jobStore(hub: HubClient, jobId: string | null): Readable<JobState> {
  if (!jobId) return NO_JOB;
  let stores = jobs.get(hub);
  if (!stores) jobs.set(hub, (stores = new Map()));
  let store = stores.get(jobId);
  if (!store) stores.set(jobId, (store = hub.progress(jobId)));
  return store;
}
