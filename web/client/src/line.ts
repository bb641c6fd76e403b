/** The Socket.IO connection: when to connect, when to come back, and when to leave it. */
import { io, type Socket } from "socket.io-client";
import { ATTEMPTS, reconnectDelay, Timer } from "./backoff";
import { asHubError, HubError, UNREACHABLE } from "./errors";
import type {
  Ack, Answer, ClientEvents, Closing, Command, ErrorFields, Hello, Payload, Position, ServerEvents,
} from "./protocol";
import { PROTOCOL_VERSION } from "./protocol";
import type { Credentials } from "./token";

export type LineStatus =
  | "closed" // nobody asked for it
  | "connecting"
  | "open"
  | "waiting" // for the next attempt
  | "down" // attempts are used up
  | "offline" // the machine has no network, or the line is paused
  | "idle" // the hub closed it because nothing happened
  | "refused"; // the hub does not want it back

export interface LineState {
  status: LineStatus;
  /** Failed attempts since it was open. */
  attempt: number;
  /** When the next attempt is due, in ms; null when none is. */
  retryAt: number | null;
  error: { code: string; message: string } | null;
}

/** Why to try again: `user` did something, the network is back (`online`), or `asked` by the program. */
export type Wake = "user" | "online" | "asked";

export interface LineHandlers extends Pick<ServerEvents, "event" | "reset"> {
  hello(hello: Hello): void;
  changed(state: LineState): void;
  /** The positions to resume the user's own channels from. */
  positions(): Record<string, Position>;
}

export interface LineOptions {
  url: string;
  path: string;
  credentials: Credentials;
  random?: () => number;
  /** Seconds that a line has to be open before attempts are counted from the beginning. */
  steadyAfter?: number;
}

const ANSWER_WITHIN = 10_000; // ms until a command counts as lost
const HELLO_WITHIN = 10; // seconds from the attempt
const STEADY_AFTER = 5; // seconds
const AUTH = new Set(["UNAUTHENTICATED", "TOKEN_EXPIRED"]);

/** One connection at a time; it comes back by itself as the contract's codes say. */
export class Line {
  readonly #options: LineOptions;
  readonly #handlers: LineHandlers;
  readonly #socket: Socket<ServerEvents, ClientEvents>;
  readonly #retry = new Timer();
  readonly #watchdog = new Timer();
  readonly #young = new Timer(); // while it runs, the line may be one of many that break at once
  #before = 0; // attempts that failed before this line
  #state: LineState = { status: "closed", attempt: 0, retryAt: null, error: null };
  #closing: Closing | undefined;
  #bound = false; // until retryAt, by the hub: no user's action shortens that
  #refresh = false; // the token given last was refused
  #paused = false;
  #turn = 0; // of attempts: one that waits for a token may be out of date

  constructor(options: LineOptions, handlers: LineHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    const { url, path } = options;
    // `reconnection`: ours counts refusals, too. WebSocket alone: polling in the manner of
    // Engine.IO needs sticky nodes; where WebSockets are blocked, the SDK polls over HTTP.
    this.#socket = io(url, {
      path, transports: ["websocket"], reconnection: false, autoConnect: false, forceNew: true,
      timeout: 8000,
    });
    this.#listen();
  }

  get state(): LineState {
    return this.#state;
  }

  get open(): boolean {
    return this.#state.status === "open";
  }

  connect(): void {
    if (this.#state.status === "closed") this.#attempt();
  }

  /** Tries again now, where that is of use. */
  wake(why: Wake): void {
    const { status, error } = this.#state;
    if (this.#paused || !reachable()) return;
    const again =
      status === "down" || status === "idle" || status === "offline" ||
      (status === "waiting" && why !== "user" && !this.#bound) ||
      (status === "refused" && (why === "asked" || AUTH.has(error?.code ?? "")));
    if (!again) return;
    this.#retry.clear();
    this.#set({ attempt: 0 });
    this.#attempt();
  }

  /** Leaves the network, or comes back. */
  pause(paused: boolean): void {
    if (this.#paused === paused) return;
    this.#paused = paused;
    if (!paused) return this.wake("online");
    if (this.#state.status === "closed") return;
    this.#leave();
    this.#set({ status: "offline", retryAt: null });
  }

  /** The machine has lost its network: the browser may take long to notice on the socket. */
  lostNetwork(): void {
    if (["closed", "idle", "refused"].includes(this.#state.status)) return;
    this.#cut();
    this.#leave();
    this.#set({ status: "offline", retryAt: null });
  }

  /** Breaks the connection as a network would. */
  drop(): void {
    this.#cut();
  }

  close(): void {
    this.#leave();
    this.#set({ status: "closed", retryAt: null });
    this.#socket.removeAllListeners();
  }

  /** The answer to a command; rejects with a `HubError`, UNREACHABLE when none came. */
  send<Name extends Command>(name: Name, payload: Payload<Name>, then: (data: Answer<Name>) => void): Promise<void> {
    if (!this.open) return Promise.reject(unreachable("not connected"));
    return new Promise((resolve, reject) => {
      const left = (): void => settle(() => reject(unreachable("the connection broke")));
      const late = setTimeout(() => settle(() => reject(unreachable("no answer"))), ANSWER_WITHIN);
      let over = false;
      const settle = (act: () => void): void => {
        if (over) return;
        over = true;
        clearTimeout(late);
        this.#socket.off("disconnect", left);
        act();
      };
      this.#socket.on("disconnect", left);
      // a callback, not emitWithAck: it runs before the events that come right behind the answer
      const answered = (answer: Ack<Answer<Name>>): void =>
        settle(() => {
          if (!answer.ok) return reject(new HubError(answer.error));
          then(answer.data);
          resolve();
        });
      (this.#socket.emit as (...args: unknown[]) => void).call(this.#socket, name, payload, answered);
    });
  }

  // -- the way in -------------------------------------------------------------------------------

  #attempt(): void {
    if (this.#paused || !reachable()) {
      this.#set({ status: "offline", retryAt: null });
      return;
    }
    const turn = ++this.#turn;
    this.#closing = undefined;
    this.#set({ status: "connecting", retryAt: null });
    this.#watchdog.set(HELLO_WITHIN, () => this.#cut());
    const refresh = this.#refresh;
    this.#refresh = false;
    this.#options.credentials.token(refresh).then(
      (token) => {
        if (turn !== this.#turn) return;
        this.#socket.auth = { v: PROTOCOL_VERSION, token, channels: this.#handlers.positions() };
        this.#socket.connect();
      },
      (error: unknown) => {
        if (turn !== this.#turn) return;
        this.#failed({ ...asHubError(error).toJSON(), code: "TOKEN_UNAVAILABLE", retry: true });
      },
    );
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("hello", (hello) => {
      this.#watchdog.clear();
      this.#before = this.#state.attempt;
      this.#young.set(this.#options.steadyAfter ?? STEADY_AFTER, () => {});
      this.#set({ status: "open", attempt: 0, retryAt: null, error: null });
      this.#handlers.hello(hello);
    });
    socket.on("event", (envelope) => this.#handlers.event(envelope));
    socket.on("reset", (reset) => this.#handlers.reset(reset));
    socket.on("closing", (closing) => (this.#closing = closing));
    socket.on("token-expiring", () => void this.#renew());
    socket.on("connect_error", (error: Error & { data?: ErrorFields }) => {
      this.#failed(error.data ?? unreachable(error.message).toJSON());
    });
    socket.on("disconnect", (reason) => this.#broken(reason));
  }

  async #renew(): Promise<void> {
    try {
      const token = await this.#options.credentials.token(true);
      await this.send("auth:refresh", { token }, () => {});
    } catch {
      // the hub closes with TOKEN_EXPIRED, and coming back asks for a token again
    }
  }

  // -- the way out ------------------------------------------------------------------------------

  #failed(error: ErrorFields): void {
    if (this.#state.status !== "connecting") return;
    const attempt = this.#state.attempt + 1;
    this.#set({ attempt });
    if (AUTH.has(error.code) && attempt < 3) {
      this.#refresh = true;
      return this.#later(error, 0.2);
    }
    if (!error.retry || AUTH.has(error.code)) return this.#refused(error);
    this.#again(error);
  }

  /** Another attempt, if there is one left. */
  #again(error: ErrorFields): void {
    if (this.#state.attempt < ATTEMPTS || error.retryAfter !== undefined) return this.#later(error);
    this.#over();
    this.#set({ status: "down", retryAt: null, error });
  }

  #broken(reason: string): void {
    const closing = this.#closing;
    this.#closing = undefined;
    if (["closed", "offline"].includes(this.#state.status)) return;
    if (!closing && reason === "io server disconnect") {
      return this.#refused({ code: "KICKED", message: reason, retry: false });
    }
    if (this.#state.status === "connecting") { // before hello: an attempt that failed, whoever ended it
      return this.#failed(closing ? { ...closing, retry: closing.reconnect } : unreachable(reason).toJSON());
    }
    if (this.#young.running) this.#set({ attempt: this.#before + 1 });
    this.#young.clear();
    if (!closing) return this.#again(unreachable(reason).toJSON());
    if (closing.code === "IDLE_TIMEOUT") {
      this.#leave();
      return this.#set({ status: "idle", retryAt: null, error: closing });
    }
    if (!closing.reconnect && !AUTH.has(closing.code)) return this.#refused({ ...closing, retry: false });
    this.#refresh = AUTH.has(closing.code);
    this.#again({ ...closing, retry: true });
  }

  /** Not to come back, unless it said when; then that is kept. */
  #refused(error: ErrorFields): void {
    this.#leave();
    const { retryAfter } = error;
    if (retryAfter !== undefined && !AUTH.has(error.code)) return this.#later(error, retryAfter, "refused");
    this.#set({ status: "refused", retryAt: null, error });
  }

  #later(error: ErrorFields, seconds?: number, status: LineStatus = "waiting"): void {
    this.#over();
    if (this.#paused || !reachable()) {
      return this.#set({ status: "offline", retryAt: null, error });
    }
    const pause = reconnectDelay(this.#state.attempt || 1, this.#options.random);
    const delay = seconds ?? Math.max(pause, error.retryAfter ?? 0);
    this.#bound = error.retryAfter !== undefined;
    this.#set({ status, error, retryAt: Date.now() + delay * 1000 });
    this.#retry.set(delay, () => this.#attempt());
  }

  #cut(): void {
    const engine = this.#socket.io.engine as { close(): void } | undefined;
    if (this.#socket.connected) engine?.close();
    else this.#failed(unreachable("no answer").toJSON());
  }

  /** Ends what goes on, and does not come back by itself. */
  #leave(): void {
    this.#over();
    this.#socket.disconnect();
  }

  #over(): void {
    this.#turn++;
    this.#watchdog.clear();
    this.#retry.clear();
    if (!this.#socket.connected) this.#socket.disconnect(); // an attempt that is still under way
  }

  #set(change: Partial<LineState>): void {
    this.#state = { ...this.#state, ...change };
    const { error } = this.#state;
    if (error) this.#state.error = { code: error.code, message: error.message };
    this.#handlers.changed(this.#state);
  }
}

function unreachable(message: string): HubError {
  return new HubError({ code: UNREACHABLE, message, retry: true });
}

function reachable(): boolean {
  return typeof navigator === "undefined" || navigator.onLine !== false;
}
