/** The console's line to the namespace `/admin`: the stock client, typed. */
import { io, type Socket } from "socket.io-client";
import { type Readable, Store, until } from "@notification-hub/client";
import type { CommandName, Commands, Moment, Stats, TailStep } from "./types";

const ANSWER_WITHIN = 8000;
const HISTORY_MS = 15 * 60_000;
const RETRY_SECONDS = 1;

/** A refusal with its code: one of the contract's section 7, or one of ours: `OFFLINE`, `UNREACHABLE`,
 * `NO_ANSWER`. */
export class AdminError extends Error {
  readonly code: string;
  readonly details: { field: string; message: string }[];

  constructor(code: string, message: string, details: { field: string; message: string }[] = []) {
    super(message);
    this.name = "AdminError";
    this.code = code;
    this.details = details;
  }
}

export interface AdminState {
  /** `ended`: no token, or none that is good; `error` says why. */
  status: "connecting" | "online" | "reconnecting" | "ended";
  error: { code: string; message: string } | null;
  /** The hub has said that the token expires then. */
  expiresAt: string | null;
}

interface Refusal {
  code: string;
  message: string;
  retry?: boolean;
  retryAfter?: number;
  details?: { field: string; message: string }[];
}
type Answer = { ok: true; data: unknown } | { ok: false; error: Refusal };

export class AdminClient {
  readonly #state = new Store<AdminState>({ status: "connecting", error: null, expiresAt: null });
  readonly #stats = new Store<Stats | null>(null);
  readonly #history = new Store<readonly Moment[]>([]);
  readonly #tails = new Set<(step: TailStep) => void>();
  readonly #socket: Socket;
  #patient: boolean;
  #closing: (Refusal & { reconnect: boolean }) | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Connects. `patient`: also keeps trying when the first attempt finds no hub, as for a token that
   * was good before. */
  constructor(token: string, { url = "", patient = false }: { url?: string; patient?: boolean } = {}) {
    this.#patient = patient;
    this.#socket = io(`${url}/admin`, {
      auth: { token }, transports: ["websocket", "polling"], tryAllTransports: true, forceNew: true,
      reconnectionDelay: 500, reconnectionDelayMax: 3000,
    });
    this.#socket
      .on("connect", () => this.#connected())
      .on("disconnect", (reason) => this.#disconnected(reason))
      .on("connect_error", (error) => this.#failed(error as Error & { data?: Refusal }))
      .on("closing", (closing: Refusal & { reconnect: boolean }) => (this.#closing = closing))
      .on("token-expiring", ({ expiresAt }: { expiresAt: string }) => this.#set({ expiresAt }))
      .on("stats", (stats: Stats) => this.#figures(stats))
      .on("tail", (step: TailStep) => {
        for (const listener of this.#tails) listener(step);
      });
  }

  get state(): Readable<AdminState> {
    return this.#state;
  }

  /** The figures of now; `null` until the first came. */
  get stats(): Readable<Stats | null> {
    return this.#stats;
  }

  /** The moments of the last fifteen minutes, oldest first. */
  get history(): Readable<readonly Moment[]> {
    return this.#history;
  }

  /** Carries a command out, once connected for the first time. Rejects with `AdminError`; one that was
   * given no answer may have been carried out. */
  async call<Name extends CommandName>(name: Name, payload: Commands[Name][0]): Promise<Commands[Name][1]> {
    await until(this.#state, ({ status }) => status !== "connecting");
    if (!this.#socket.connected) throw new AdminError("OFFLINE", "not connected");
    let answer: Answer;
    try {
      answer = (await this.#socket.timeout(ANSWER_WITHIN).emitWithAck(name, payload)) as Answer;
    } catch {
      throw new AdminError("NO_ANSWER", "the hub did not answer");
    }
    if (!answer.ok) throw new AdminError(answer.error.code, answer.error.message, answer.error.details);
    return answer.data as Commands[Name][1];
  }

  /** Has `listener` called with every step of what is tailed; returns what ends that. */
  onTail(listener: (step: TailStep) => void): () => void {
    this.#tails.add(listener);
    return () => this.#tails.delete(listener);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#socket.disconnect();
  }

  #set(more: Partial<AdminState>): void {
    this.#state.set({ ...this.#state.get(), ...more });
  }

  #connected(): void {
    this.#patient = true;
    this.#closing = null;
    this.#set({ status: "online", error: null, expiresAt: null });
    this.call("stats", { history: true }).then(
      ({ history = [], ...stats }) => {
        this.#history.set(history);
        this.#figures(stats);
      },
      () => {}, // the next figures come by themselves
    );
  }

  #figures(stats: Stats): void {
    const { nodes: _nodes, ...moment } = stats;
    const from = Date.parse(stats.at) - HISTORY_MS;
    this.#history.set([...this.#history.get().filter(({ at }) => Date.parse(at) >= from && at < stats.at), moment]);
    this.#stats.set(stats);
  }

  #disconnected(reason: string): void {
    if (reason === "io client disconnect") return;
    const closing = this.#closing;
    if (closing && !closing.reconnect) this.#end(closing);
    else {
      this.#set({ status: "reconnecting", error: closing });
      if (!this.#socket.active) this.#again(closing?.retryAfter);
    }
  }

  #failed(error: Error & { data?: Refusal }): void {
    const refusal: Refusal = error.data?.code ? error.data : { code: "UNREACHABLE", message: error.message, retry: true };
    if (!this.#patient || !refusal.retry || refusal.code === "TOKEN_EXPIRED") return this.#end(refusal);
    this.#set({ status: "reconnecting", error: refusal });
    if (!this.#socket.active) this.#again(refusal.retryAfter);
  }

  #again(seconds = RETRY_SECONDS): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.connect(), seconds * 1000);
  }

  #end({ code, message }: Refusal): void {
    this.close();
    this.#set({ status: "ended", error: { code, message } });
  }
}
