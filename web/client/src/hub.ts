/** What an application holds: one user's client, the same whether this tab leads or not. */
import { reconnectDelay, Timer } from "./backoff";
import { type Call, Calls, closed } from "./calls";
import { Engine } from "./engine";
import { asHubError, HubError } from "./errors";
import { Http } from "./http";
import type { InboxState } from "./inbox";
import { deltaOf } from "./inbox";
import type { JobState } from "./job";
import type { Wake } from "./line";
import { newId, openStorage, Outbox, type Waiting } from "./outbox";
import { listenToUser } from "./presence";
import type { Envelope, Filter, Mark, MarkPayload, Notification } from "./protocol";
import { isType } from "./protocol";
import { type ConnectionState, State } from "./state";
import type { Readable } from "./store";
import { type Ask, openTabs, type Tabs, type Tell } from "./tabs";
import { Credentials, subjectOf, type TokenSource } from "./token";
import { once, Watched } from "./watched";

export interface HubOptions {
  /** The user's token, or what gives one; it is asked again when the hub wants a new one. */
  token: TokenSource;
  /** Where the hub is; in a browser, default: where the page came from. */
  url?: string;
  path?: string;
  /** Whether the user's tabs share one connection. Default: where the browser can. */
  share?: boolean;
  /** Notifications per page. */
  pageSize?: number;
}

export interface ChannelOptions {
  /** How many of the events before now to begin with, of a channel that nobody follows yet. */
  last?: number;
}

/** Connects at once; `close()` ends everything. */
export class HubClient {
  readonly #state = new State();
  readonly #options: HubOptions;
  readonly #url: string;
  readonly #credentials: Credentials;
  readonly #listeners = new Set<(envelope: Envelope) => void>();
  readonly #watched = new Watched(() => this.#channelsChanged());
  readonly #calls = new Calls();
  readonly #marks = new Map<string, { resolve: () => void; reject: (error: HubError) => void }>();
  readonly #retry = new Timer();
  readonly #ends: (() => void)[] = [];
  #tabs: Tabs | undefined;
  #engine: Engine | undefined;
  #outbox: Outbox | undefined;
  #failures = 0;
  #over = false;

  constructor(options: HubOptions) {
    this.#options = options;
    const here = typeof location === "undefined" ? undefined : location.origin;
    const url = options.url ?? here;
    if (!url) throw new TypeError("options.url: outside a browser, say where the hub is");
    this.#url = url;
    this.#credentials = new Credentials(options.token);
    this.#ends.push(listenToUser({ wake: (why) => this.#wake(why), lostNetwork: () => this.#engine?.line.lostNetwork() }));
    void this.#begin();
  }

  // -- what is shown ----------------------------------------------------------------------------

  /** How the client is connected. */
  connection(): Readable<ConnectionState> {
    return this.#state.connection;
  }

  /** The inbox: its count at once, its items once `load` was called. */
  inbox(): Readable<InboxState> {
    return this.#state.inbox;
  }

  /** A job's progress; it is followed while somebody subscribes to the store. */
  progress(jobId: string): Readable<JobState> {
    return {
      get: () => this.#state.job(jobId).get(),
      subscribe: (listener) => {
        const leave = this.#watched.enter(`job:${jobId}`, 0);
        const end = this.#state.job(jobId).subscribe(listener);
        return once(() => {
          end();
          leave();
        });
      },
    };
  }

  /** Every event that comes, on any channel, each once; returns what ends that. */
  onEvent(listener: (envelope: Envelope) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Every notification when it comes. */
  onNotification(listener: (notification: Notification) => void): () => void {
    return this.onEvent((envelope) => {
      if (isType(envelope, "NOTIFICATION_CREATED")) listener(envelope.data);
    });
  }

  /** Follows a channel (`topic:…`, `job:…`); returns what ends that. */
  subscribe(channel: string, listener: (envelope: Envelope) => void, options: ChannelOptions = {}): () => void {
    const end = this.onEvent((envelope) => {
      if (envelope.channel === channel) listener(envelope);
    });
    const leave = this.#watched.enter(channel, options.last ?? 0);
    return once(() => {
      end();
      leave();
    });
  }

  // -- what the user does -----------------------------------------------------------------------

  /** Loads the first page of a list of the inbox. */
  load(filter: Filter): Promise<void> {
    return this.#call("list", filter, false);
  }

  /** Loads the next page. */
  loadMore(filter: Filter): Promise<void> {
    return this.#call("list", filter, true);
  }

  /** Marks notifications. It shows at once and is kept, also over a reload, until the hub has
   * answered; then it resolves, or rejects if the hub will never take it. */
  mark(ids: string[] | "all", as: Mark): Promise<void> {
    const inbox = this.#state.inbox.get();
    const newest = inbox.items[0]?.id;
    // what comes later is not meant, however long the command waits
    const upTo = ids === "all" && newest !== undefined ? { upTo: newest } : {};
    const payload: MarkPayload = { ids, as, ...upTo };
    const at = new Date(Date.now() + this.#state.connection.get().skew).toISOString();
    const entry: Waiting = { id: newId(), payload, delta: deltaOf(inbox, payload, at), at };
    const done = new Promise<void>((resolve, reject) => this.#marks.set(entry.id, { resolve, reject }));
    done.catch(() => {}); // whoever calls may ignore it: the inbox shows what became of it
    this.#call("mark", entry).catch((error: unknown) => this.#markDone(entry.id, error));
    return done;
  }

  /** Connects again, whatever the reason why there is no connection. */
  reconnect(): void {
    this.#wake("asked");
  }

  /** Leaves the network, for all of the user's tabs, or comes back: what waits is sent then. */
  setOffline(offline: boolean): Promise<void> {
    return this.#call("offline", offline);
  }

  /** Breaks the connection as a bad network would; it comes back by itself. For tests and demos. */
  drop(): Promise<void> {
    return this.#call("drop");
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#retry.clear();
    for (const end of this.#ends) end();
    this.#engine?.close();
    this.#tabs?.close();
    this.#outbox?.close();
    this.#calls.end();
    for (const { reject } of this.#marks.values()) reject(closed());
    this.#state.connection.update((now) => ({ ...now, status: "closed", leader: false }));
  }

  // -- leading, or not --------------------------------------------------------------------------

  async #begin(): Promise<void> {
    const { connection } = this.#state;
    connection.update((now) => ({ ...now, status: "connecting" }));
    try {
      const user = subjectOf(await this.#credentials.token()) ?? "unknown";
      const name = `notification-hub/${this.#url}/${user}`;
      const outbox = new Outbox(await openStorage(name));
      if (this.#over) return outbox.close();
      this.#outbox = outbox;
      connection.update((now) => ({ ...now, userId: user }));
      this.#tabs = openTabs(name, this.#options.share ?? true, (message) => this.#hear(message));
    } catch (error) {
      const { message } = asHubError(error);
      const pause = reconnectDelay(++this.#failures);
      const retryAt = Date.now() + pause * 1000;
      connection.update((now) => ({ ...now, status: "reconnecting", retryAt, error: { code: "TOKEN_UNAVAILABLE", message } }));
      this.#retry.set(pause, () => void this.#begin());
      return;
    }
    this.#tabs.say(this.#watching());
    for (const call of this.#calls.waiting()) this.#ask(call);
    await this.#tabs.lead();
    if (!this.#over) this.#lead();
  }

  #lead(): void {
    const state = this.#state;
    const http = new Http(this.#url, this.#credentials);
    state.connection.update((now) => ({ ...now, leader: true }));
    this.#engine = new Engine({
      url: this.#url, path: this.#options.path ?? "/socket.io/", http, credentials: this.#credentials,
      outbox: this.#outbox!, state, pageSize: this.#options.pageSize ?? 20,
      onEvent: (envelope) => {
        this.#tell({ k: "event", envelope });
        this.#dispatch(envelope);
      },
      onDone: (id, error) => {
        this.#tell({ k: "done", id, ...(error ? { error: asHubError(error).toJSON() } : {}) });
        this.#markDone(id, error);
      },
    });
    if (!this.#tabs!.alone) {
      const job = (store: Readable<JobState>): void => {
        this.#ends.push(store.subscribe((value) => this.#tell({ k: "state", job: value })));
      };
      this.#ends.push(
        state.connection.subscribe((connection) => this.#tell({ k: "state", connection })),
        state.inbox.subscribe((inbox) => this.#tell({ k: "state", inbox })),
        state.positions.subscribe((positions) => this.#tell({ k: "state", positions })),
      );
      for (const store of state.jobs()) job(store);
      state.onJob = job;
      this.#tell({ k: "lead" });
    }
    this.#engine.start();
    this.#follow();
    for (const { id, method, args } of this.#calls.waiting()) {
      this.#run(method, args).then(() => this.#calls.settle(id), (error: unknown) => this.#calls.settle(id, error));
    }
  }

  #tell(message: Tell): void {
    this.#tabs?.say(message);
  }

  #hear(message: Ask | Tell): void {
    if (this.#over) return;
    if (this.#engine) this.#answer(message as Ask, this.#engine);
    else this.#learn(message as Tell);
  }

  /** As the leader: does what another tab asks for. */
  #answer(message: Ask, engine: Engine): void {
    switch (message.k) {
      case "watch": {
        const isNew = this.#watched.note(message.tab, message.channels);
        if (isNew) this.#tabs!.onGone(message.tab, () => this.#gone(message.tab));
        this.#follow();
        const { connection, inbox, positions } = this.#state;
        if (isNew) this.#tell({ k: "state", connection: connection.get(), inbox: inbox.get(), positions: positions.get() });
        for (const [name] of message.channels) {
          if (name.startsWith("job:")) this.#tell({ k: "state", job: this.#state.job(name.slice(4)).get() });
        }
        return;
      }
      case "call":
        this.#run(message.method, message.args).then(
          () => this.#tell({ k: "done", id: message.id }),
          (error: unknown) => this.#tell({ k: "done", id: message.id, error: asHubError(error).toJSON() }),
        );
        return;
      case "wake":
        return engine.wake(message.why);
    }
  }

  #gone(tab: string): void {
    this.#watched.forget(tab);
    this.#follow();
  }

  /** As one of the others: takes what the leader tells. */
  #learn(message: Tell): void {
    const state = this.#state;
    switch (message.k) {
      case "lead":
        this.#tabs!.say(this.#watching());
        for (const call of this.#calls.waiting()) this.#ask(call); // the one before may have lost it
        return;
      case "state":
        if (message.connection) state.connection.set({ ...message.connection, leader: false });
        if (message.inbox) state.inbox.set(message.inbox);
        if (message.positions) state.positions.set(message.positions);
        if (message.job) state.job(message.job.jobId).set(message.job);
        return;
      case "event":
        return this.#dispatch(message.envelope);
      case "done": {
        const error = message.error && new HubError(message.error);
        this.#markDone(message.id, error);
        return this.#calls.settle(message.id, error);
      }
    }
  }

  // -- channels ---------------------------------------------------------------------------------

  #channelsChanged(): void {
    if (this.#over) return;
    if (this.#engine) this.#follow();
    else this.#tabs?.say(this.#watching());
  }

  #watching(): Ask {
    return { k: "watch", tab: this.#tabs!.id, channels: this.#watched.own() };
  }

  #follow(): void {
    this.#engine?.follow(this.#watched.all());
  }

  #dispatch(envelope: Envelope): void {
    for (const listener of [...this.#listeners]) listener(envelope);
  }

  // -- calls ------------------------------------------------------------------------------------

  #call(method: string, ...args: unknown[]): Promise<void> {
    if (this.#over) return Promise.reject(closed());
    if (this.#engine) return this.#run(method, args);
    const { call, done } = this.#calls.add(method, args);
    if (this.#tabs) this.#ask(call);
    return done;
  }

  #ask({ id, method, args }: Call): void {
    this.#tabs!.say({ k: "call", tab: this.#tabs!.id, id, method, args });
  }

  async #run(method: string, args: unknown[]): Promise<void> {
    const engine = this.#engine!;
    switch (method) {
      case "list": return engine.list(args[0] as Filter, args[1] as boolean);
      case "mark": return engine.mark(args[0] as Waiting);
      case "offline": return engine.line.pause(args[0] as boolean);
      case "drop": return engine.line.drop();
    }
  }

  #markDone(id: string, error?: unknown): void {
    const mark = this.#marks.get(id);
    this.#marks.delete(id);
    if (error === undefined) mark?.resolve();
    else mark?.reject(asHubError(error));
  }

  // -- the user and the network -----------------------------------------------------------------

  #wake(why: Wake): void {
    if (this.#engine) this.#engine.wake(why);
    else this.#tabs?.say({ k: "wake", why });
  }
}

export const createHub = (options: HubOptions): HubClient => new HubClient(options);
