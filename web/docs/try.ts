/** A panel that speaks with the hub: a token, a channel to watch, a publication. Everything that is sent
 * and that comes is shown as it is on the wire. */
import { html, nothing, render } from "lit";
import { io, type Socket } from "socket.io-client";

const KEPT = 200;
const STEPS = [
  { type: "JOB_STARTED", projectId: "demo", ownerId: "ana", totals: { scenarios: 1 } },
  { type: "JOB_STATUS_CHANGED", data: { currentStatus: "GENERATING" } },
  { type: "SCENARIO_COMPLETED", data: { scenarioId: "s1", featureId: "f1", featureName: "Login", title: "Valid password", stepsCount: 4 } },
  { type: "JOB_COMPLETED", data: { passed: 1, failed: 0 } },
];

interface Line {
  way: "sent" | "came" | "failed";
  what: string;
  body: unknown;
}

export class TryIt {
  readonly #place: HTMLElement;
  readonly #lines: Line[] = [];
  #socket: Socket | undefined;
  #token = "";
  #user = "ana";
  #channel = `job:try-${Date.now().toString(36)}`;
  #publications = "";

  constructor(place: HTMLElement) {
    this.#place = place;
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
    const socket = (this.#socket = io({ transports: ["websocket"], forceNew: true, auth: { v: 1, token: this.#token } }));
    socket.onAny((name: string, body: unknown) => this.#note("came", name, body));
    socket.on("connect", () => this.#note("came", "CONNECT", { sid: socket.id, recovered: socket.recovered }));
    socket.on("connect_error", (error: Error & { data?: unknown }) => this.#note("failed", "connect_error", error.data ?? error.message));
    socket.on("disconnect", (reason) => this.#note("failed", "disconnect", reason));
  }

  #send(name: string, payload: unknown): void {
    if (!this.#socket?.connected) return this.#note("failed", name, "connect first");
    this.#note("sent", name, payload);
    this.#socket.emit(name, payload, (answer: { ok: boolean }) => this.#note(answer.ok ? "came" : "failed", `answer to ${name}`, answer));
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
      headers: { "Content-Type": "application/json", "Hub-Version": "1", Authorization: `Bearer ${this.#token}` },
      body: JSON.stringify({ items }),
    });
    this.#note(response.ok ? "came" : "failed", `POST /v1/publish ${response.status}`, await response.json());
  }

  /** Writes a short life of the channel's job, or a notification, as what to publish. */
  #write(): void {
    const jobId = this.#channel.replace(/^job:/, "");
    const items = this.#channel.startsWith("job:")
      ? STEPS.map((step) => ({ id: crypto.randomUUID(), kind: "JOB", jobId, ...step }))
      : [{ id: crypto.randomUUID(), kind: "NOTIFICATION", to: { users: [this.#user] }, type: "try.it", title: "Hello", body: "from the documents" }];
    this.#publications = JSON.stringify(items, null, 1);
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
      Promise.resolve(work()).catch((error: unknown) => this.#note("failed", "error", String(error))).finally(() => this.#show());
    };
    render(html`
      <h2>Try it</h2>
      <label>User <input id="try-user" .value=${this.#user} @input=${text((value) => (this.#user = value))} /></label>
      <button id="try-mint" @click=${act(() => this.#mint())}>Mint a dev token</button>
      <label>Token <input id="try-token" autocomplete="off" spellcheck="false" .value=${this.#token} @input=${text((value) => (this.#token = value.trim()))} /></label>
      <button id="try-connect" ?disabled=${!this.#token} @click=${act(() => this.#connect())}>Connect</button>
      <label>Channel <input id="try-channel" .value=${this.#channel} @input=${text((value) => (this.#channel = value))} /></label>
      <div class="row">
        <button id="try-subscribe" @click=${act(() => this.#send("subscribe", { channel: this.#channel }))}>Subscribe</button>
        <button @click=${act(() => this.#send("unsubscribe", { channel: this.#channel }))}>Unsubscribe</button>
        <button @click=${act(() => this.#write())}>Write publications</button>
      </div>
      <label>Publications <textarea id="try-publications" rows="7" spellcheck="false" .value=${this.#publications} @input=${text((value) => (this.#publications = value))}></textarea></label>
      <button id="try-publish" ?disabled=${!this.#token} @click=${act(() => this.#publish())}>Publish</button>
      <h3>What was said</h3>
      <ol id="try-log" aria-live="polite" tabindex="0" aria-label="What was said">${this.#lines.map(({ way, what, body }) => html`
        <li class=${way}><details><summary><span>${way}</span> <code>${what}</code>${type(body)}</summary><pre><code>${JSON.stringify(body, null, 2)}</code></pre></details></li>`)}
      </ol>`, this.#place);
  }
}

/** Of an event, what happened. */
function type(body: unknown): unknown {
  const found = typeof body === "object" && body !== null && "type" in body ? String(body.type) : undefined;
  return found ? html` ${found}` : nothing;
}
