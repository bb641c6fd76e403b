/** A value that can be watched. */
export interface Readable<Value> {
  get(): Value;
  /** Calls `listener` now and after every change; returns what ends that. */
  subscribe(listener: (value: Value) => void): () => void;
}

/** A value that can be watched and set. Setting what it holds already tells nobody. */
export class Store<Value> implements Readable<Value> {
  #value: Value;
  readonly #listeners = new Set<(value: Value) => void>();

  constructor(value: Value) {
    this.#value = value;
  }

  get(): Value {
    return this.#value;
  }

  set(value: Value): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener(value);
  }

  update(change: (value: Value) => Value): void {
    this.set(change(this.#value));
  }

  subscribe(listener: (value: Value) => void): () => void {
    const own = (value: Value): void => listener(value); // the same function twice is two listeners
    this.#listeners.add(own);
    own(this.#value);
    return () => this.#listeners.delete(own);
  }
}

/** Resolves with the first value for which `test` holds; rejects when `signal` aborts. */
export function until<Value>(
  store: Readable<Value>, test: (value: Value) => boolean, signal?: AbortSignal,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    let end: (() => void) | undefined;
    let over = false;
    const finish = (act: () => void): void => {
      over = true;
      signal?.removeEventListener("abort", aborted);
      end?.();
      act();
    };
    const aborted = (): void => finish(() => reject(signal?.reason));
    if (signal?.aborted) return reject(signal.reason);
    signal?.addEventListener("abort", aborted);
    end = store.subscribe((value) => {
      if (!over && test(value)) finish(() => resolve(value));
    });
    if (over) end();
  });
}
