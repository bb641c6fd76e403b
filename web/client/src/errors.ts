import type { Code, ErrorFields } from "./protocol";

/** A refusal of the hub, with its code of the catalogue; `retryAfter` in seconds. */
export class HubError extends Error {
  override readonly name = "HubError";
  readonly code: Code;
  readonly retry: boolean;
  readonly retryAfter: number | undefined;
  readonly details: ErrorFields["details"];

  constructor(fields: ErrorFields) {
    super(fields.message);
    this.code = fields.code;
    this.retry = fields.retry;
    this.retryAfter = fields.retryAfter;
    this.details = fields.details;
  }

  /** Its fields, to send it to another tab. */
  toJSON(): ErrorFields {
    const { code, message, retry, retryAfter, details } = this;
    return {
      code, message, retry,
      ...(retryAfter === undefined ? {} : { retryAfter }),
      ...(details === undefined ? {} : { details }),
    };
  }
}

/** Codes that the SDK gives itself, where the hub has not said anything. */
export const UNREACHABLE = "UNREACHABLE";
export const CLOSED = "CLIENT_CLOSED";
export const QUEUE_FULL = "QUEUE_FULL";

/** Whatever was thrown, as a `HubError`. What is none is the network's: it may work later. */
export function asHubError(error: unknown): HubError {
  if (error instanceof HubError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new HubError({ code: UNREACHABLE, message, retry: true });
}
