/** A panel that speaks with the hub: a token, a channel to watch, a publication. Everything that is sent
 * and that comes is shown as it is on the wire. */
import { html, nothing, render } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { io, type Socket } from "socket.io-client";
import { jobsOf, next, publicationsFor } from "./publications";

const KEPT = 200;
const PATIENCE_MS = 10_000;
const PAUSE_MS = 200;
const UNKNOWN_YET = "JOB_NOT_FOUND";

interface Line {
  way: "sent" | "came" | "failed" | "note";
  what: string;
  body: unknown;
}

interface Ack {
  ok: boolean;
  error?: { code: string };
}

export class TryIt {
  readonly #place: HTMLElement;
  readonly #version: number;
  readonly #lines: Line[] = [];
  /** Channels of jobs that were published here: their life is over. */
  readonly #lived = new Set<string>();
  readonly #followed = new Set<string>();
  #socket: Socket | undefined;
  #token = "";
  #user = "ana";
  #channel = `job:try-${Date.now().toString(36)}`;
  #publications = "";

  /** `version`: of the contract, that the panel speaks. */
  constructor(place: HTMLElement, version: number) {
    this.#place = place;
    this.#version = version;
    this.#write();
    this.#show();
  }

  // -- what the buttons do ------------------------------------------------------------------------

  async #mint(): Promise<void> {
    const response = await fetch("/dev/token", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ sub: this.#user }),
    });
    if (!response.ok) {
      const why = response.status === 404 ? "only `python -m hub dev` gives tokens here: paste one of `python -m hub token`" : await response.text();
      return this.#note("failed", "POST /dev/token", why);
    }
    this.#token = ((await response.json()) as { token: string }).token;
    this.#note("came", "a token", { sub: this.#user });
  }

  #connect(): void {
    this.#socket?.disconnect();
    const socket = (this.#socket = io({ transports: ["websocket"], forceNew: true, auth: { v: this.#version, token: this.#token } }));
    socket.onAny((name: string, body: unknown) => this.#note("came", name, body));
    socket.on("connect", () => {
      if (!socket.recovered) this.#followed.clear();
      this.#note("came", "CONNECT", { sid: socket.id, recovered: socket.recovered });
    });
    socket.on("connect_error", (error: Error & { data?: unknown }) => this.#note("failed", "connect_error", error.data ?? error.message));
    socket.on("disconnect", (reason) => this.#note("failed", "disconnect", reason));
  }

  async #send(name: "subscribe" | "unsubscribe", channel: string): Promise<void> {
    if (!this.#socket?.connected) return this.#note("failed", name, "connect first");
    this.#note("sent", name, { channel });
    this.#answered(name, channel, await this.#ask(this.#socket, name, channel));
  }

  #ask(socket: Socket, name: string, channel: string): Promise<Ack> {
    return socket.timeout(PATIENCE_MS).emitWithAck(name, { channel }) as Promise<Ack>;
  }

  #answered(name: "subscribe" | "unsubscribe", channel: string, answer: Ack): void {
    if (answer.ok) this.#followed[name === "subscribe" ? "add" : "delete"](channel);
    this.#note(answer.ok ? "came" : "failed", `answer to ${name}`, answer);
  }

  /** Follows a job that was published just now: it is there once it is stored. */
  async #follow(channel: string): Promise<void> {
    const socket = this.#socket;
    if (!socket?.connected || this.#followed.has(channel)) return;
    this.#note("sent", "subscribe", { channel });
    const until = Date.now() + PATIENCE_MS;
    let answer = await this.#ask(socket, "subscribe", channel);
    while (answer.error?.code === UNKNOWN_YET && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS)); // nothing tells who may not follow it yet
      answer = await this.#ask(socket, "subscribe", channel);
    }
    this.#answered("subscribe", channel, answer);
  }

  async #publish(): Promise<void> {
    let items: unknown;
    try {
      items = JSON.parse(this.#publications);
    } catch (error) {
      return this.#note("failed", "publish", String(error));
    }
    const response = await fetch("/v1/publish", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Hub-Version": String(this.#version), Authorization: `Bearer ${this.#token}` },
      body: JSON.stringify({ items }),
    });
    const receipt = (await response.json()) as { accepted: number; duplicates: number };
    this.#note(response.ok ? "came" : "failed", `POST /v1/publish ${response.status}`, receipt);
    if (!response.ok) return;
    if (!receipt.accepted) this.#note("note", "all of it was published before", "“Write publications” writes new ones");
    const jobs = jobsOf(items);
    for (const job of jobs) this.#lived.add(job);
    await Promise.all(jobs.map((job) => this.#follow(job)));
  }

  /** Writes what suits the channel; of a job that has lived, another one's life. */
  #write(): void {
    if (this.#lived.has(this.#channel)) {
      const ended = this.#channel;
      while (this.#lived.has(this.#channel)) this.#channel = next(this.#channel);
      this.#note("note", "a new job", `${ended} has ended: this is ${this.#channel}, which is subscribed to once it is published`);
    }
    this.#publications = JSON.stringify(publicationsFor(this.#channel, this.#user), null, 1);
  }

  // -- what is seen -------------------------------------------------------------------------------

  #note(way: Line["way"], what: string, body: unknown): void {
    this.#lines.unshift({ way, what, body });
    this.#lines.length = Math.min(this.#lines.length, KEPT);
    this.#show();
  }

  #show(): void {
    const text = (set: (value: string) => void) => (event: Event): void => {
      set((event.target as HTMLInputElement).value);
      this.#show();
    };
    const act = (work: () => unknown) => (): void => {
      Promise.resolve().then(work).catch((error: unknown) => this.#note("failed", "error", String(error))).finally(() => this.#show());
    };
    render(html`
      <h2>Try it</h2>
      <label>User <input id="try-user" .value=${this.#user} @input=${text((value) => (this.#user = value))} /></label>
      <button id="try-mint" @click=${act(() => this.#mint())}>Mint a dev token</button>
      <label>Token <input id="try-token" autocomplete="off" spellcheck="false" .value=${this.#token} @input=${text((value) => (this.#token = value.trim()))} /></label>
      <button id="try-connect" ?disabled=${!this.#token} @click=${act(() => this.#connect())}>Connect</button>
      <label>Channel <input id="try-channel" .value=${this.#channel} @input=${text((value) => (this.#channel = value))} /></label>
      <div class="row">
        <button id="try-subscribe" @click=${act(() => this.#send("subscribe", this.#channel))}>Subscribe</button>
        <button @click=${act(() => this.#send("unsubscribe", this.#channel))}>Unsubscribe</button>
        <button @click=${act(() => this.#write())}>Write publications</button>
      </div>
      <label>Publications <textarea id="try-publications" rows="7" spellcheck="false" .value=${this.#publications} @input=${text((value) => (this.#publications = value))}></textarea></label>
      <button id="try-publish" ?disabled=${!this.#token} @click=${act(() => this.#publish())}>Publish</button>
      <h3>What was said</h3>
      <ol id="try-log" aria-live="polite" tabindex="0" aria-label="What was said">${repeat(this.#lines, (line) => line, ({ way, what, body }) => html`
        <li class=${way}><details><summary><span>${way}</span> <code>${what}</code>${about(way, body)}</summary><pre><code>${JSON.stringify(body, null, 2)}</code></pre></details></li>`)}
      </ol>`, this.#place);
  }
}

/** Of an event, what happened; of a note, all of it. */
function about(way: Line["way"], body: unknown): unknown {
  const found = typeof body === "object" && body !== null && "type" in body ? String(body.type) : way === "note" ? String(body) : undefined;
  return found ? html` ${found}` : nothing;
}
