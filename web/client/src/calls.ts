/** What was asked of the leading tab, and is not done yet. */
import { asHubError, CLOSED, HubError } from "./errors";
import { newId } from "./outbox";

export interface Call {
  id: string;
  method: string;
  args: unknown[];
}

export const closed = (): HubError => new HubError({ code: CLOSED, message: "the client was closed", retry: false });

export class Calls {
  readonly #waiting = new Map<string, Call & { settle(error?: HubError): void }>();

  /** Notes a call; `done` says what came of it. */
  add(method: string, args: unknown[]): { call: Call; done: Promise<void> } {
    const call = { id: newId(), method, args };
    const done = new Promise<void>((resolve, reject) => {
      this.#waiting.set(call.id, { ...call, settle: (error) => (error ? reject(error) : resolve()) });
    });
    return { call, done };
  }

  /** Those that are not done, oldest first. */
  waiting(): Call[] {
    return [...this.#waiting.values()];
  }

  settle(id: string, error?: unknown): void {
    const call = this.#waiting.get(id);
    this.#waiting.delete(id);
    call?.settle(error === undefined ? undefined : asHubError(error));
  }

  /** The client is closed: none of them will be done. */
  end(): void {
    for (const id of [...this.#waiting.keys()]) this.settle(id, closed());
  }
}
