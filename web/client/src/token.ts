/** `expired`: the token given last is refused or about to expire; get another one. */
export type TokenSource = string | ((why: { expired: boolean }) => string | Promise<string>);

const EARLY = 30_000; // a token that ends within this many ms is not used for a new request

/** The token of the user, asked for when needed and kept while it is good. */
export class Credentials {
  readonly #source: TokenSource;
  #token: string | undefined;
  #asking: Promise<string> | undefined;

  constructor(source: TokenSource) {
    this.#source = source;
  }

  /** The token; `expired`: not the one given last. Who asks at the same time shares the answer. */
  token(expired = false): Promise<string> {
    if (!expired && this.#token !== undefined && !endsSoon(this.#token)) {
      return Promise.resolve(this.#token);
    }
    this.#asking ??= this.#ask(expired || this.#token !== undefined).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(expired: boolean): Promise<string> {
    const source = this.#source;
    this.#token = typeof source === "string" ? source : await source({ expired });
    return this.#token;
  }
}

function endsSoon(token: string): boolean {
  const ends = claims(token)?.exp;
  return typeof ends === "number" && ends * 1000 - Date.now() < EARLY;
}

/** Whose token it is. Not checked: only the hub can do that. */
export function subjectOf(token: string): string | undefined {
  const sub = claims(token)?.sub;
  return typeof sub === "string" ? sub : undefined;
}

function claims(token: string): Record<string, unknown> | undefined {
  try {
    const part = token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
