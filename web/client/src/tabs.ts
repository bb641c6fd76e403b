/** One tab of a user's leads and holds the connection; the others hear from it, and one takes over
 * when it is gone. Web Locks say who leads, a BroadcastChannel carries what is said. */
import type { ErrorFields, Envelope, Position } from "./protocol";
import type { InboxState } from "./inbox";
import type { JobState } from "./job";
import type { Wake } from "./line";
import type { ConnectionState } from "./state";

/** What a tab that does not lead asks for. */
export type Ask =
  | { k: "watch"; tab: string; channels: [name: string, last: number][] }
  | { k: "call"; tab: string; id: string; method: string; args: unknown[] }
  | { k: "wake"; why: Wake };

/** What the leading tab tells. */
export type Tell =
  | { k: "lead" }
  | { k: "state"; connection?: ConnectionState; inbox?: InboxState; job?: JobState; positions?: Record<string, Position> }
  | { k: "event"; envelope: Envelope }
  | { k: "done"; id: string; error?: ErrorFields };

export interface Tabs {
  /** Whether there can be no other tab. */
  readonly alone: boolean;
  readonly id: string;
  /** Resolves once this tab leads; never, if it is closed before. */
  lead(): Promise<void>;
  /** Calls `then` when that tab is gone. */
  onGone(tab: string, then: () => void): void;
  say(message: Ask | Tell): void;
  close(): void;
}

/** Node, or a browser without locks: every client leads. */
class NoTabs implements Tabs {
  readonly alone = true;
  readonly id = "only";
  lead(): Promise<void> {
    return Promise.resolve();
  }
  onGone(): void {}
  say(): void {}
  close(): void {}
}

class LockedTabs implements Tabs {
  readonly alone = false;
  readonly id = crypto.randomUUID();
  readonly #name: string;
  readonly #channel: BroadcastChannel;
  readonly #over = new AbortController();

  constructor(name: string, hear: (message: Ask | Tell) => void) {
    this.#name = name;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => hear(data as Ask | Tell);
    this.#hold(`${name}/${this.id}`, () => {}); // for as long as the tab lives
  }

  lead(): Promise<void> {
    return new Promise((resolve) => this.#hold(this.#name, resolve));
  }

  onGone(tab: string, then: () => void): void {
    const { signal } = this.#over;
    navigator.locks.request(`${this.#name}/${tab}`, { signal }, then).catch(() => {}); // closed
  }

  say(message: Ask | Tell): void {
    if (!this.#over.signal.aborted) this.#channel.postMessage(message);
  }

  close(): void {
    this.#over.abort();
    this.#channel.close();
  }

  /** Takes the lock when it is free, and keeps it until the tab is closed. */
  #hold(lock: string, taken: () => void): void {
    const { signal } = this.#over;
    const until = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    const keep = (): Promise<void> => {
      taken();
      return until;
    };
    navigator.locks.request(lock, { signal }, keep).catch(() => {}); // closed while it waited
  }
}

/** `hear` gets what other tabs of the same `name` say. */
export function openTabs(name: string, share: boolean, hear: (message: Ask | Tell) => void): Tabs {
  const possible = typeof BroadcastChannel !== "undefined" && typeof navigator !== "undefined" && navigator.locks;
  return share && possible && typeof window !== "undefined" ? new LockedTabs(name, hear) : new NoTabs();
}
