import { HubError } from "./errors";
import { type Code, PROTOCOL_VERSION } from "./protocol";
import type { Credentials } from "./token";

export interface HttpAnswer<Body> {
  /** 304 has no body. */
  status: number;
  body: Body | null;
  header(name: string): string | null;
}

const TIMEOUT = 10_000;

/** Requests to the hub, with the token; a refusal is a `HubError`, no answer is what `fetch` throws. */
export class Http {
  readonly #url: string;
  readonly #credentials: Credentials;

  constructor(url: string, credentials: Credentials) {
    this.#url = url.replace(/\/$/, "");
    this.#credentials = credentials;
  }

  async get<Body>(path: string, headers: Record<string, string> = {}): Promise<HttpAnswer<Body>> {
    return this.#request("GET", path, headers);
  }

  async post<Body>(path: string, body: unknown): Promise<Body> {
    const headers = { "Content-Type": "application/json" };
    return (await this.#request<Body>("POST", path, headers, JSON.stringify(body))).body as Body;
  }

  async #request<Body>(
    method: string, path: string, headers: Record<string, string>, body?: string,
  ): Promise<HttpAnswer<Body>> {
    for (let again = false; ; again = true) {
      const token = await this.#credentials.token(again);
      const response = await fetch(this.#url + path, {
        method, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT),
        headers: { ...headers, "Hub-Version": String(PROTOCOL_VERSION), Authorization: `Bearer ${token}` },
        ...(body === undefined ? {} : { body }),
      });
      if (response.status === 401 && !again) continue;
      const ok = response.ok || response.status === 304;
      const text = response.status === 304 ? "" : await response.text();
      if (!ok) throw problem(response, text);
      return {
        status: response.status,
        body: text ? (JSON.parse(text) as Body) : null,
        header: (name) => response.headers.get(name),
      };
    }
  }
}

function problem(response: Response, text: string): HubError {
  let fields: Record<string, unknown> = {};
  try {
    fields = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // a proxy's page: the status says what there is to say
  }
  const retry = response.status === 429 || response.status >= 500;
  const after = Number(fields.retryAfter ?? response.headers.get("Retry-After"));
  return new HubError({
    code: (fields.errorCode as Code | undefined) ?? (retry ? "UNAVAILABLE" : "INVALID_REQUEST"),
    message: String(fields.detail ?? `${response.status} ${response.statusText}`),
    retry: typeof fields.retry === "boolean" ? fields.retry : retry,
    ...(after > 0 ? { retryAfter: after } : {}),
  });
}
