/** Attempts of a connection before the SDK polls instead. */
export const ATTEMPTS = 5;
const LONGEST_POLL = 30;

/** Seconds before attempt `failed + 1`: 1, 2, 4, 8, 8, each up to a quarter more or less. */
export function reconnectDelay(failed: number, random: () => number = Math.random): number {
  return Math.min(8, 2 ** Math.max(0, failed - 1)) * (0.75 + random() / 2);
}

/** Seconds until the next poll after `failed` failures in a row: the interval, doubled up to 30. */
export function pollDelay(interval: number, failed: number): number {
  return failed ? Math.min(LONGEST_POLL, interval * 2 ** failed) : interval;
}

/** Runs one thing later, in seconds; asking again replaces what was asked before. */
export class Timer {
  #handle: ReturnType<typeof setTimeout> | undefined;

  set(seconds: number, act: () => void): void {
    this.clear();
    this.#handle = setTimeout(() => {
      this.#handle = undefined;
      act();
    }, seconds * 1000);
  }

  get running(): boolean {
    return this.#handle !== undefined;
  }

  clear(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }
}
