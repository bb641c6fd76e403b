import type { InboxState } from "./inbox";
import { emptyInbox } from "./inbox";
import { emptyJob, type JobState } from "./job";
import type { Position } from "./protocol";
import { Store } from "./store";

export type Status =
  | "closed" | "connecting" | "online" | "reconnecting" | "polling" | "offline" | "idle" | "refused";

export interface ConnectionState {
  status: Status;
  /** Whether this tab holds the connection; another one does it for this one if not. */
  leader: boolean;
  userId: string | null;
  attempt: number;
  /** When the next attempt is due, in ms. */
  retryAt: number | null;
  /** Why there is no connection. */
  error: { code: string; message: string } | null;
  /** Commands that wait for an answer. */
  queued: number;
  /** Milliseconds that the hub's clock is ahead of this machine's. */
  skew: number;
  /** Whether the connection went on exactly where the one before broke. */
  recovered: boolean;
}

/** What one user's client knows. The tab that leads writes it, the others get copies. */
export class State {
  readonly connection = new Store<ConnectionState>({
    status: "closed", leader: false, userId: null, attempt: 0, retryAt: null, error: null, queued: 0,
    skew: 0, recovered: false,
  });
  readonly inbox = new Store<InboxState>(emptyInbox());
  /** Where each channel stands. */
  readonly positions = new Store<Record<string, Position>>({});
  readonly #jobs = new Map<string, Store<JobState>>();

  /** Told of every job's store when it is made. */
  onJob: (store: Store<JobState>) => void = () => {};

  job(jobId: string): Store<JobState> {
    let store = this.#jobs.get(jobId);
    if (!store) {
      store = new Store(emptyJob(jobId));
      this.#jobs.set(jobId, store);
      this.onJob(store);
    }
    return store;
  }

  jobs(): Iterable<Store<JobState>> {
    return this.#jobs.values();
  }

  forget(jobId: string): void {
    this.#jobs.delete(jobId);
  }
}
