/** Commands that wait for the hub: kept over reloads, sent in order, each until it is answered. */
import { HubError, QUEUE_FULL } from "./errors";
import type { MarkPayload } from "./protocol";

export interface Waiting {
  /** Sorts by the time it was given. */
  id: string;
  payload: MarkPayload;
  /** What it is expected to change the unread count by. */
  delta: number;
  /** ISO time at which the user did it. */
  at: string;
}

/** Where waiting commands are kept. Every method may be repeated: an id is there once. */
export interface Storage {
  all(): Promise<Waiting[]>;
  put(entry: Waiting): Promise<void>;
  remove(id: string): Promise<void>;
  close(): void;
}

export const AT_MOST = 500;

let given = 0;

export function newId(): string {
  const order = (given++ % 1296).toString(36).padStart(2, "0"); // of those of one millisecond
  return `${Date.now().toString(36).padStart(9, "0")}${order}-${crypto.randomUUID()}`;
}

/** Waiting commands with a limit: one more than `AT_MOST` is refused with `QUEUE_FULL`. */
export class Outbox {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async add(entry: Waiting): Promise<void> {
    if ((await this.#storage.all()).length >= AT_MOST) {
      throw new HubError({ code: QUEUE_FULL, message: `${AT_MOST} commands wait already`, retry: true });
    }
    await this.#storage.put(entry);
  }

  all(): Promise<Waiting[]> {
    return this.#storage.all();
  }

  remove(id: string): Promise<void> {
    return this.#storage.remove(id);
  }

  close(): void {
    this.#storage.close();
  }
}

/** For Node, and for browsers that have no IndexedDB or do not let us use it: lost on reload. */
export class MemoryStorage implements Storage {
  readonly #entries = new Map<string, Waiting>();

  all(): Promise<Waiting[]> {
    const found = [...this.#entries.values()];
    return Promise.resolve(found.sort((a, b) => (a.id < b.id ? -1 : 1)));
  }

  put(entry: Waiting): Promise<void> {
    this.#entries.set(entry.id, entry);
    return Promise.resolve();
  }

  remove(id: string): Promise<void> {
    this.#entries.delete(id);
    return Promise.resolve();
  }

  close(): void {}
}

const TABLE = "commands";

/** IndexedDB, one database per user: shared by all tabs, and there after a reload. */
export class IndexedDbStorage implements Storage {
  readonly #db: IDBDatabase;

  private constructor(db: IDBDatabase) {
    this.#db = db;
  }

  static async open(name: string): Promise<IndexedDbStorage> {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(TABLE, { keyPath: "id" });
    const db = await done(opening);
    db.onversionchange = () => db.close();
    return new IndexedDbStorage(db);
  }

  all(): Promise<Waiting[]> {
    return done(this.#table("readonly").getAll() as IDBRequest<Waiting[]>);
  }

  async put(entry: Waiting): Promise<void> {
    await done(this.#table("readwrite").put(entry));
  }

  async remove(id: string): Promise<void> {
    await done(this.#table("readwrite").delete(id));
  }

  close(): void {
    this.#db.close();
  }

  #table(mode: IDBTransactionMode): IDBObjectStore {
    return this.#db.transaction(TABLE, mode).objectStore(TABLE);
  }
}

function done<Value>(request: IDBRequest<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** The best storage that there is here. */
export async function openStorage(name: string): Promise<Storage> {
  if (typeof indexedDB === "undefined") return new MemoryStorage();
  try {
    return await IndexedDbStorage.open(name);
  } catch {
    return new MemoryStorage(); // a private window that forbids it
  }
}
