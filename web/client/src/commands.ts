/** What the user did that the hub has not answered yet: kept over a reload, sent in its order. */
import { Timer } from "./backoff";
import { asHubError } from "./errors";
import type { Http } from "./http";
import * as inbox from "./inbox";
import type { Line } from "./line";
import type { Outbox, Waiting } from "./outbox";
import type { MarkPayload, Unread } from "./protocol";
import type { State } from "./state";

const AGAIN = 2; // seconds, where the hub did not say

export interface CommandsHost {
  readonly http: Http;
  readonly state: State;
  readonly line: Line;
  /** Whether a command can be sent on the line, or over HTTP. */
  readonly live: boolean;
  readonly polls: boolean;
  /** A command was answered, or refused for good. */
  done(id: string, error: unknown): void;
}

export class Commands {
  readonly #host: CommandsHost;
  readonly #outbox: Outbox;
  readonly #pause = new Timer();
  #draining = false;
  #current: Waiting | undefined; // the one that is being sent
  #over = false;

  constructor(host: CommandsHost, outbox: Outbox) {
    this.#host = host;
    this.#outbox = outbox;
  }

  close(): void {
    this.#over = true;
    this.#pause.clear();
  }

  /** Sends what waits, this one among it; `done` says when. */
  async add(entry: Waiting): Promise<void> {
    this.#host.state.inbox.update((now) => inbox.withWaiting(now, entry.id, entry.payload, entry.delta, entry.at));
    await this.#outbox.add(entry);
    await this.show();
    void this.drain();
  }

  /** Shows what waits as if it were done. */
  async show(): Promise<void> {
    const { state } = this.#host;
    const waiting = await this.#outbox.all();
    if (this.#over) return;
    state.connection.update((now) => ({ ...now, queued: waiting.length }));
    state.inbox.update((now) =>
      waiting.reduce((shown, each) => inbox.withWaiting(shown, each.id, each.payload, each.delta, each.at), now),
    );
  }

  /** Sends what waits, while it can be sent. */
  async drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    try {
      while ((this.#host.live || this.#host.polls) && !this.#over) {
        const [next] = await this.#outbox.all();
        if (!next) break;
        if (!(await this.#sent(next))) break;
      }
    } finally {
      this.#draining = false;
    }
  }

  /** A change came as an event: if it is the one that is being sent, it is counted now. */
  heard(mark: MarkPayload): void {
    const current = this.#current;
    if (current && same(current.payload, mark)) this.#settled(current.id);
  }

  /** Whether the next one may follow. */
  async #sent(entry: Waiting): Promise<boolean> {
    const { state } = this.#host;
    this.#current = entry;
    let refused: unknown;
    try {
      const unread = await this.#markNow(entry.payload);
      this.#settled(entry.id);
      state.inbox.update((now) => inbox.withUnread(now, unread));
    } catch (error) {
      const { retry, retryAfter } = asHubError(error);
      if (retry) {
        this.#pause.set(retryAfter ?? AGAIN, () => void this.drain());
        return false;
      }
      refused = error;
    } finally {
      this.#current = undefined;
    }
    await this.#outbox.remove(entry.id);
    this.#settled(entry.id);
    state.connection.update((now) => ({ ...now, queued: Math.max(0, now.queued - 1) }));
    this.#host.done(entry.id, refused);
    return true;
  }

  #settled(id: string): void {
    this.#host.state.inbox.update((now) => inbox.withoutWaiting(now, id));
  }

  async #markNow(payload: MarkPayload): Promise<Unread> {
    const { http, line, live } = this.#host;
    if (!live) return (await http.post<{ unread: Unread }>("/v1/notifications/mark", payload)).unread;
    let unread: Unread | undefined;
    await line.send("notifications:mark", payload, (data) => (unread = data.unread));
    return unread!;
  }
}

function same(a: MarkPayload, b: MarkPayload): boolean {
  const ids = (mark: MarkPayload): string => (mark.ids === "all" ? "all" : [...mark.ids].sort().join());
  return a.as === b.as && a.upTo === b.upTo && ids(a) === ids(b);
}
