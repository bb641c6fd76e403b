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
  #sending: string | undefined; // its id
  #over = false;

  constructor(host: CommandsHost, outbox: Outbox) {
    this.#host = host;
    this.#outbox = outbox;
  }

  close(): void {
    this.#over = true;
    this.#pause.clear();
  }

  /** Shows what waits. What the tab that led before told to wait, and is not kept, was answered. */
  async begin(): Promise<void> {
    const told = Object.keys(this.#host.state.inbox.get().waiting);
    await this.#show();
    const kept = new Set((await this.#outbox.all()).map(({ id }) => id));
    for (const id of told) if (!kept.has(id)) this.#settled(id);
  }

  /** Sends what waits, this one among it; `done` says when. */
  async add(entry: Waiting): Promise<void> {
    this.#host.state.inbox.update((now) => inbox.withWaiting(now, entry.id, entry.payload, entry.delta, entry.at));
    try {
      await this.#outbox.add(entry);
    } catch (error) {
      this.#settled(entry.id);
      this.#host.done(entry.id, error);
      return;
    }
    await this.#show();
    void this.drain();
  }

  /** Shows what waits as if it were done. */
  async #show(): Promise<void> {
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

  /** A mark came as an event: if it is one of those sent, it is shown and counted now. */
  heard(mark: MarkPayload): void {
    this.#host.state.inbox.update((now) => inbox.withoutTold(now, mark, this.#sending));
  }

  /** Whether the next one may follow. */
  async #sent(entry: Waiting): Promise<boolean> {
    const { state } = this.#host;
    this.#sending = entry.id;
    let refused: unknown;
    try {
      await this.#markNow(entry);
    } catch (error) {
      const { retry, retryAfter } = asHubError(error);
      if (retry) {
        this.#pause.set(retryAfter ?? AGAIN, () => void this.drain());
        return false;
      }
      refused = error;
    } finally {
      this.#sending = undefined;
    }
    await this.#outbox.remove(entry.id);
    if (state.inbox.get().waiting[entry.id]?.answered === undefined) this.#settled(entry.id);
    state.connection.update((now) => ({ ...now, queued: Math.max(0, now.queued - 1) }));
    this.#host.done(entry.id, refused);
    return true;
  }

  #settled(id: string): void {
    this.#host.state.inbox.update((now) => inbox.withoutWaiting(now, id));
  }

  async #markNow({ id, payload, at }: Waiting): Promise<void> {
    const { http, line, live, state } = this.#host;
    if (live) {
      await line.send("notifications:mark", payload, ({ changed, unread }) => {
        if (!changed) this.#settled(id); // no event will tell it
        state.inbox.update((now) => inbox.withAnswered(now, id, unread));
      });
      return;
    }
    const { unread } = await http.post<{ unread: Unread }>("/v1/notifications/mark", payload);
    this.#settled(id);
    state.inbox.update((now) => inbox.withAnswered(inbox.withMark(now, payload, at, unread.version), id, unread));
  }
}
