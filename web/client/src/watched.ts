/** Which channels are followed: in this tab, and, where it leads, in the user's other tabs. */

/** A channel, and how many of its past events it begins with. */
export type Wish = [channel: string, last: number];

/** Calls `act` the first time it is called itself. */
export function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (!done) act();
    done = true;
  };
}

export class Watched {
  readonly #own = new Map<string, { count: number; last: number }>();
  readonly #others = new Map<string, Wish[]>();
  readonly #changed: () => void;

  /** `changed`: called when this tab follows another set of channels than before. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Follows a channel once more in this tab; returns what ends that. */
  enter(channel: string, last: number): () => void {
    const known = this.#own.get(channel);
    this.#own.set(channel, { count: (known?.count ?? 0) + 1, last: Math.max(known?.last ?? 0, last) });
    if (!known) this.#changed();
    return once(() => {
      const now = this.#own.get(channel)!;
      if (now.count > 1) this.#own.set(channel, { ...now, count: now.count - 1 });
      else this.#own.delete(channel);
      if (now.count <= 1) this.#changed();
    });
  }

  /** What this tab follows. */
  own(): Wish[] {
    return [...this.#own].map(([name, { last }]): Wish => [name, last]);
  }

  /** Notes what another tab follows; gives whether that tab is new. */
  note(tab: string, channels: Wish[]): boolean {
    const isNew = !this.#others.has(tab);
    this.#others.set(tab, channels);
    return isNew;
  }

  /** Forgets another tab. */
  forget(tab: string): void {
    this.#others.delete(tab);
  }

  /** What any of them follows, each with the most that one wants of it. */
  all(): Map<string, number> {
    const all = new Map<string, number>(this.own());
    for (const channels of this.#others.values()) {
      for (const [name, last] of channels) all.set(name, Math.max(all.get(name) ?? 0, last));
    }
    return all;
  }
}
