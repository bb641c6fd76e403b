/** Does the work of the tab that leads: holds the line, follows channels, polls, sends commands. */
import { pollDelay, Timer } from "./backoff";
import { Commands, type CommandsHost } from "./commands";
import { asHubError } from "./errors";
import { Follow, type FollowHost } from "./follow";
import type { Http } from "./http";
import * as inbox from "./inbox";
import { Line, type LineState, type Wake } from "./line";
import type { Outbox, Waiting } from "./outbox";
import * as pages from "./pages";
import type {
  Envelope, Filter, Hello, ListPayload, NotificationPage, Position, Preferences, Reset, Unread,
} from "./protocol";
import { isType } from "./protocol";
import { placeOf } from "./job";
import type { State, Status } from "./state";
import type { Credentials } from "./token";

export interface EngineOptions {
  url: string;
  path: string;
  http: Http;
  credentials: Credentials;
  outbox: Outbox;
  state: State;
  pageSize: number;
  /** Every event, once, in the order of its channel. */
  onEvent(envelope: Envelope): void;
  /** A command that waited was answered, or refused for good. */
  onDone(id: string, error: unknown): void;
}

const RESUMED = 50; // channels that a connect may resume
const INBOX_POLL = 10;
const OVERTAKEN = 5; // times in a row that a list is asked for again
const RECOUNT = 3; // seconds within which all clients ask anew, where one event changed many counts
const SOCKET_AGAIN = 30; // seconds between attempts of the socket while polling works

export class Engine implements FollowHost, CommandsHost {
  readonly http: Http;
  readonly state: State;
  readonly line: Line;
  readonly #options: EngineOptions;
  readonly #commands: Commands;
  readonly #follows = new Map<string, Follow>();
  readonly #inboxPoll = new Timer();
  readonly #recount = new Timer();
  readonly #again = new Timer();
  #pollFailures = 0;
  #polls = false; // the socket does not work: HTTP takes its place
  #preferences: Preferences | undefined;
  #over = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.http = options.http;
    this.state = options.state;
    this.#commands = new Commands(this, options.outbox);
    const { url, path, credentials } = options;
    this.line = new Line({ url, path, credentials }, {
      hello: (hello) => this.#hello(hello),
      event: (envelope) => this.#event(envelope),
      reset: (reset) => this.#reset(reset),
      changed: (state) => this.#lineChanged(state),
      positions: () => this.#ownPositions(),
    });
  }

  start(): void {
    this.line.connect();
    void this.#commands.begin();
  }

  close(): void {
    this.#over = true;
    this.line.close();
    this.#commands.close();
    for (const timer of [this.#inboxPoll, this.#recount, this.#again]) timer.clear();
    for (const follow of this.#follows.values()) follow.close();
  }

  get live(): boolean {
    return this.line.open;
  }

  get polls(): boolean {
    return this.#polls && this.line.state.status !== "offline";
  }

  wake(why: Wake): void {
    this.line.wake(why);
    if (this.line.state.status === "offline") return;
    for (const follow of this.#follows.values()) follow.wake();
  }

  /** Follows exactly these channels beside the user's own; with how many of their last events. */
  follow(channels: ReadonlyMap<string, number>): void {
    for (const [channel, follow] of this.#follows) {
      if (channels.has(channel)) continue;
      this.#follows.delete(channel);
      follow.close();
      this.state.positions.update(({ [channel]: _, ...rest }) => rest);
      if (this.live) {
        this.line.send("unsubscribe", { channel }, () => {}).catch(() => {}); // it ends with the line
      }
    }
    for (const [channel, last] of channels) {
      if (this.#follows.has(channel) || this.#isOwn(channel)) continue;
      const follow = new Follow(channel, this, last);
      this.#follows.set(channel, follow);
      follow.begin();
    }
  }

  deliver(envelope: Envelope): void {
    this.#ownEvent(envelope);
    this.#options.onEvent(envelope);
  }

  /** A poll was answered: the network works, so the socket may, too. */
  polled(ok: boolean): void {
    if (ok && this.#polls && this.line.state.status === "down" && !this.#again.running) {
      this.#again.set(SOCKET_AGAIN, () => this.line.wake("online"));
    }
  }

  // -- the line ---------------------------------------------------------------------------------

  #lineChanged(line: LineState): void {
    const was = this.polls;
    if (line.status === "open") this.#polls = false;
    if (line.status === "down") this.#polls = true;
    if (["open", "closed", "refused", "idle"].includes(line.status)) this.#polls = false;
    this.state.connection.update((state) => ({
      ...state,
      status: shown(line, this.polls),
      attempt: line.attempt,
      retryAt: line.retryAt,
      error: line.error,
    }));
    if (this.polls !== was) this.#pollsChanged();
    for (const follow of this.#follows.values()) follow.lineChanged();
  }

  #pollsChanged(): void {
    this.#inboxPoll.clear();
    this.#again.clear();
    if (!this.polls) return;
    this.#pollFailures = 0;
    void this.#pollInbox();
    void this.#commands.drain();
  }

  #hello(hello: Hello): void {
    const { state } = this;
    const skew = Date.parse(hello.serverTime) - Date.now();
    state.connection.update((now) => ({ ...now, userId: hello.userId, skew, recovered: hello.recovered }));
    state.inbox.update((now) => inbox.withUnread(now, hello.unread));
    const before = state.positions.get();
    const positions = { ...before };
    for (const { channel, epoch, offset } of hello.channels) {
      // what was missed follows as events, so where we are is ours to know
      if (before[channel]?.epoch !== epoch) positions[channel] = { epoch, offset };
    }
    state.positions.set(positions);
    const held = new Set<string>(hello.channels.map((each) => each.channel));
    for (const [channel, follow] of this.#follows) follow.begin(held.has(channel) && hello.recovered);
    void this.#commands.drain();
    this.#refresh(true);
  }

  #ownPositions(): Record<string, Position> {
    const all = Object.entries(this.state.positions.get());
    return Object.fromEntries(all.filter(([channel]) => !channel.startsWith("job:")).slice(0, RESUMED));
  }

  #isOwn(channel: string): boolean {
    const { userId } = this.state.connection.get();
    return channel === "all" || channel === `user:${userId}`;
  }

  // -- events -----------------------------------------------------------------------------------

  #event(envelope: Envelope): void {
    const { channel } = envelope;
    if (envelope.offset === undefined) return this.deliver(envelope); // of no log: best effort
    const follow = this.#follows.get(channel);
    if (follow) return follow.event(envelope);
    const place = placeOf(this.state.positions.get()[channel] ?? null, envelope);
    if (place === "known") return;
    this.#moveTo(channel, envelope);
    this.deliver(envelope);
  }

  #moveTo(channel: string, { epoch, offset }: Position): void {
    this.state.positions.update((now) => ({ ...now, [channel]: { epoch, offset } }));
  }

  #ownEvent(envelope: Envelope): void {
    const box = this.state.inbox;
    if (isType(envelope, "NOTIFICATION_CREATED")) {
      const topic = envelope.channel.startsWith("topic:") ? envelope.channel.slice(6) : undefined;
      const muted = this.#mutes(envelope.data.type, topic);
      box.update((now) => inbox.withNotification(now, envelope.data, muted));
    }
    if (isType(envelope, "NOTIFICATIONS_CHANGED")) {
      const { ids, all, upTo, state, unread } = envelope.data;
      if (state === "PREFERENCES" || state === "SUBSCRIPTIONS") {
        this.#preferences = undefined;
        this.#reload();
      } else if (state === "EXPIRED") {
        const known = new Set(box.get().items.map((item) => item.id));
        box.update((now) => inbox.withEnded(now, ids ?? [], unread));
        const unsure = !unread && ids?.some((id) => !known.has(id));
        if (unsure) this.#recount.set(Math.random() * RECOUNT, () => void this.#count());
      } else if (all ?? ids?.length) {
        const mark = { ids: all ? ("all" as const) : ids!, as: state, ...(upTo ? { upTo } : {}) };
        box.update((now) => inbox.withMark(now, mark, envelope.timestamp, unread?.version));
        this.#commands.heard(mark);
        this.#refresh();
      }
      box.update((now) => inbox.withUnread(now, unread));
    }
  }

  /** Asks what is unread, where an announcement ended that this client does not know. */
  async #count(): Promise<void> {
    try {
      const unread = (await this.http.get<Unread>("/v1/notifications/unread-count")).body!;
      this.state.inbox.update((now) => inbox.withUnread(now, unread));
    } catch {
      // the next `unread` of any kind is exact
    }
  }

  #mutes(type: string, topic: string | undefined): boolean {
    const muted = this.#preferences;
    return Boolean(muted && (muted.mutedTypes.includes(type) || muted.mutedTopics.includes(topic ?? "")));
  }

  #reset(reset: Reset): void {
    const follow = this.#follows.get(reset.channel);
    if (follow && !this.#isOwn(reset.channel)) return follow.reset(reset);
    this.#moveTo(reset.channel, reset);
    const page = reset.snapshot;
    const box = this.state.inbox;
    const isPage = page && "items" in page;
    if (!isPage && !this.#isOwn(reset.channel)) return;
    box.update((now) => inbox.withStale(now));
    if (isPage && !box.get().lists.ALL.loading) {
      box.update((now) => pages.withPage(pages.withLoading(now, "ALL"), "ALL", page, true));
    }
    this.#refresh();
  }

  // -- the inbox --------------------------------------------------------------------------------

  /** Loads the first page of a list, or the next one with `more`. Its state says how that went. */
  async list(filter: Filter, more = false, tries = OVERTAKEN): Promise<void> {
    const box = this.state.inbox;
    const known = box.get().lists[filter];
    if (known.loading || (more && !known.nextCursor)) return;
    box.update((now) => pages.withLoading(now, filter));
    const payload: ListPayload = {
      filter, limit: this.#options.pageSize, ...(more ? { cursor: known.nextCursor! } : {}),
    };
    try {
      this.#preferences ??= (await this.http.get<Preferences>("/v1/preferences")).body ?? undefined;
      const page = await this.#page(payload);
      box.update((now) => pages.withPage(now, filter, page, !more));
      if (box.get().lists[filter].stale) {
        if (tries) return this.list(filter, false, tries - 1);
        box.update((now) => pages.withLoadError(now, filter, "UNAVAILABLE")); // the next connect tries again
      }
    } catch (error) {
      box.update((now) => pages.withLoadError(now, filter, asHubError(error).code));
    }
    this.#refresh();
  }

  async #page(payload: ListPayload): Promise<NotificationPage> {
    if (this.live) {
      let page: NotificationPage | undefined;
      await this.line.send("notifications:list", payload, (data) => (page = data));
      return page!;
    }
    const query = new URLSearchParams(payload as Record<string, string>);
    return (await this.http.get<NotificationPage>(`/v1/notifications?${query}`)).body!;
  }

  /** Loads again whatever is loaded. */
  #reload(): void {
    this.state.inbox.update((now) => inbox.withStale(now));
    this.#refresh();
  }

  /** Loads again what is stale and, with `failed`, what could not be loaded. */
  #refresh(failed = false): void {
    const { lists } = this.state.inbox.get();
    for (const filter of Object.keys(lists) as Filter[]) {
      const { stale, loading, error } = lists[filter];
      if (!loading && (stale || (failed && error))) void this.list(filter);
    }
  }

  async #pollInbox(): Promise<void> {
    try {
      const known = this.state.inbox.get().unread.version;
      const unread = (await this.http.get<Unread>("/v1/notifications/unread-count")).body!;
      this.state.inbox.update((now) => inbox.withUnread(now, unread));
      if (unread.version > known && known >= 0) this.#reload();
      this.#pollFailures = 0;
      this.polled(true);
      void this.#commands.drain();
    } catch {
      this.#pollFailures++; // the status says that nothing comes; the next poll tells more
    }
    if (!this.polls || this.#over) return;
    this.#inboxPoll.set(pollDelay(INBOX_POLL, this.#pollFailures), () => void this.#pollInbox());
  }

  // -- commands that wait -----------------------------------------------------------------------

  /** Keeps a command and sends it; `onDone` says when. */
  mark(entry: Waiting): Promise<void> {
    return this.#commands.add(entry);
  }

  done(id: string, error: unknown): void {
    if (error) this.#reload(); // what was shown ahead of the answer is taken back
    this.#options.onDone(id, error);
  }
}

function shown(line: LineState, polls: boolean): Status {
  if (polls) return "polling";
  switch (line.status) {
    case "open": return "online";
    case "connecting": return line.attempt || line.error ? "reconnecting" : "connecting";
    case "waiting": case "down": return "reconnecting";
    case "refused": return "refused";
    default: return line.status;
  }
}
