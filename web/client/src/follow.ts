/** Following one channel: subscribing, resuming, closing gaps, and polling a job meanwhile. */
import { pollDelay, Timer } from "./backoff";
import { asHubError, type HubError } from "./errors";
import type { Http } from "./http";
import { isTerminal, type JobState, placeOf, withActivity, withEvent, withHistory, withSnapshot } from "./job";
import type { Line } from "./line";
import type { Envelope, JobSnapshot, Position, Reset, Subscribed } from "./protocol";
import type { State } from "./state";
import type { Store } from "./store";

export interface FollowHost {
  readonly http: Http;
  readonly line: Line;
  readonly state: State;
  /** Whether the socket can be used now. */
  readonly live: boolean;
  /** Whether HTTP has to take its place. */
  readonly polls: boolean;
  deliver(envelope: Envelope): void;
  polled(ok: boolean): void;
}

const LOOK = 0.4; // seconds after an event until we ask what the job does now
const CROWDED_AGAIN = 20;
const FIRST_INTERVAL = 2;
const HISTORY_PAGE = 500;

export class Follow {
  readonly channel: string;
  readonly #host: FollowHost;
  readonly #job: Store<JobState> | undefined;
  readonly #timer = new Timer(); // the next attempt to subscribe
  readonly #poll = new Timer();
  #last: number;
  #lacks = false; // there is a gap in the history
  #following = false;
  #asking = false;
  #crowded = false;
  #polling = false;
  #failures = 0;
  #interval = FIRST_INTERVAL;
  #etag: string | undefined;
  #over = false;

  /** `last`: how many events before now to begin with, where no history comes by itself. */
  constructor(channel: string, host: FollowHost, last: number) {
    this.channel = channel;
    this.#last = last;
    this.#host = host;
    if (channel.startsWith("job:")) this.#job = host.state.job(channel.slice(4));
  }

  close(): void {
    this.#over = true;
    this.#timer.clear();
    this.#poll.clear();
  }

  /** Subscribes, unless the connection brought the channel along (`held`) or there is none. */
  begin(held = false): void {
    this.#following = held;
    if (held) this.#feed();
    else if (this.#host.live) void this.#subscribe();
    else this.lineChanged();
  }

  lineChanged(): void {
    if (!this.#host.live) {
      this.#following = this.#asking = this.#crowded = false;
      this.#timer.clear();
    }
    this.#feed();
    if (this.#host.polls) this.#look(0);
    else if (!this.#host.live) this.#poll.clear();
  }

  /** Somebody is there: what waits longest is asked for now. */
  wake(): void {
    if (this.#failures && (this.#crowded || this.#host.polls)) this.#look(0);
  }

  event(envelope: Envelope): void {
    if (!this.#following && !this.#asking) return; // an answer will bring it
    const place = placeOf(this.#position(), envelope);
    if (place === "known") return;
    if (place === "gap") return void this.#subscribe();
    this.#take(envelope);
    if (this.#job) this.#look(LOOK);
  }

  reset(reset: Reset): void {
    this.#moveTo(reset);
    if (this.#job && reset.snapshot && "jobId" in reset.snapshot) this.#anew(reset.snapshot);
    if (this.#job) this.#look(0, true);
  }

  // -- live -------------------------------------------------------------------------------------

  async #subscribe(): Promise<void> {
    if (this.#asking || this.#over) return;
    this.#asking = true;
    const { channel } = this;
    try {
      await this.#host.line.send("subscribe", { channel, ...this.#position() }, (data) => {
        this.#asking = false;
        if (!this.#over) this.#subscribed(data);
      });
    } catch (error) {
      this.#asking = false;
      if (!this.#over) this.#refused(asHubError(error));
    }
  }

  #subscribed(answer: Subscribed): void {
    this.#following = true;
    this.#crowded = false;
    this.#failures = 0;
    const fresh = this.#position() === null;
    const last = this.#job ? 0 : this.#last;
    this.#last = 0;
    if (fresh && last && answer.offset > 0) {
      this.#moveTo({ epoch: answer.epoch, offset: Math.max(0, answer.offset - last) });
      return void this.#subscribe();
    }
    for (const envelope of answer.events) {
      if (placeOf(this.#position(), envelope) !== "known") this.#take(envelope, fresh);
    }
    this.#moveTo(answer);
    if (this.#job && answer.snapshot) {
      if (answer.mode === "RESET") this.#anew(answer.snapshot);
      else this.#job.update((job) => withSnapshot(job, answer.snapshot!));
    }
    this.#feed();
    this.#look(answer.mode === "RESET" ? 0 : this.#interval, answer.mode === "RESET");
  }

  #refused(error: HubError): void {
    if (!this.#host.live) return; // the next hello begins anew
    if (error.code === "TOO_MANY_CONNECTIONS" && this.#job) {
      this.#crowded = true;
      this.#feed();
      this.#look(0);
    } else if (!error.retry) {
      this.#job?.update((job) => ({ ...job, feed: "error", error: { code: error.code, message: error.message } }));
      return;
    }
    const pause = error.retryAfter ?? (this.#crowded ? CROWDED_AGAIN : 2);
    this.#timer.set(pause, () => void this.#subscribe());
  }

  /** `silent`: history, which is no news. */
  #take(envelope: Envelope, silent = false): void {
    this.#moveTo(envelope);
    this.#job?.update((job) => withEvent(job, envelope));
    if (!silent) this.#host.deliver(envelope);
  }

  #position(): Position | null {
    return this.#host.state.positions.get()[this.channel] ?? null;
  }

  #moveTo({ epoch, offset }: Position): void {
    this.#host.state.positions.update((all) => ({ ...all, [this.channel]: { epoch, offset } }));
  }

  #anew(snapshot: JobSnapshot): void {
    this.#job?.update((job) => withSnapshot({ ...job, position: null }, snapshot));
  }

  #feed(): void {
    this.#job?.update((job) => {
      if (job.feed === "error" && !this.#following) return job;
      const feed = isTerminal(job.status) ? "ended"
        : this.#following ? "live"
        : this.#crowded || this.#host.polls ? "polling"
        : job.status === null ? "loading" : "stale";
      return feed === job.feed ? job : { ...job, feed };
    });
  }

  // -- polling ----------------------------------------------------------------------------------

  /** Asks for the snapshot in some seconds: all of it where nothing is live, else for what the job
   * does now, of which there are no events. */
  #look(seconds: number, lacks = false): void {
    this.#lacks ||= lacks;
    if (!this.#job || this.#over || this.#polling) return;
    if (this.#job.get().feed === "ended" && !this.#lacks) return this.#poll.clear();
    this.#poll.set(seconds, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const wanted = this.#following || this.#crowded || this.#host.polls;
    if (!wanted || this.#over || this.#polling) return;
    this.#polling = true;
    try {
      if (this.#lacks) await this.#history();
      this.#lacks = false;
      const headers: Record<string, string> = this.#etag ? { "If-None-Match": this.#etag } : {};
      const path = `/v1/jobs/${encodeURIComponent(this.channel.slice(4))}`;
      const answer = await this.#host.http.get<JobSnapshot>(`${path}/progress`, headers);
      this.#interval = Number(answer.header("Poll-Interval")) || this.#interval;
      if (answer.body) await this.#answered(answer.body);
      this.#etag = answer.header("ETag") ?? undefined;
      this.#failures = 0;
      this.#host.polled(true);
    } catch (error) {
      const { code, message, retry } = asHubError(error);
      this.#failures++;
      this.#etag = undefined;
      this.#host.polled(false);
      if (!retry && !this.#following) {
        this.#job!.update((job) => ({ ...job, feed: "error", error: { code, message } }));
        this.#over = true;
      }
    } finally {
      this.#polling = false;
    }
    this.#look(pollDelay(this.#interval, this.#failures));
  }

  async #answered(snapshot: JobSnapshot): Promise<void> {
    if (this.#following) {
      this.#job!.update((job) => withActivity(job, snapshot));
      return;
    }
    const at = this.#position();
    if (at?.epoch !== snapshot.epoch || snapshot.offset > at.offset) await this.#history();
    if (this.#following || this.#over) return; // the answer to a subscribe was faster
    this.#job!.update((job) => withSnapshot(job, snapshot));
    if (placeOf(this.#position(), snapshot) !== "known") this.#moveTo(snapshot);
    this.#feed();
  }

  /** Fetches the events that we lack. */
  async #history(): Promise<void> {
    const known = this.#job!.get().events.at(-1);
    const from = known ? new Date(Date.parse(known.timestamp) - 1).toISOString() : undefined;
    const path = `/v1/jobs/${encodeURIComponent(this.channel.slice(4))}/events`;
    let cursor: string | null = null;
    do {
      const query = new URLSearchParams({ limit: String(HISTORY_PAGE) });
      if (cursor) query.set("cursor", cursor);
      if (from) query.set("since", from);
      type Page = { events: Envelope[]; nextCursor: string | null };
      const page: Page = (await this.#host.http.get<Page>(`${path}?${query}`)).body!;
      for (const envelope of this.#following ? [] : page.events) {
        if (placeOf(this.#position(), envelope) !== "known") this.#take(envelope, known === undefined);
      }
      this.#job!.update((job) => withHistory(job, page.events));
      cursor = page.nextCursor;
    } while (cursor && !this.#over);
  }
}
