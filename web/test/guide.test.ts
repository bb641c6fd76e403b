/** What the guide shows is what works. */
import { randomUUID } from "node:crypto";
import { afterEach, expect, inject, test } from "vitest";
import * as sdk from "@notification-hub/client";
import { io } from "socket.io-client";
import { blocks } from "./guides";
import { mint, Worker } from "./hub";

const hub = inject("hub");
const worker = new Worker(hub);
const [plain, withSdk] = (await blocks("frontend.md", "js", 2)).map((code) => code.replace(/^import .*$/m, ""));
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

type Shown = Record<string, unknown>;
const Code = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<unknown>;

/** What an example shows: resolves once it has shown what was asked for. */
class Show {
  readonly #shown: Shown = {};
  #waiting: (() => void)[] = [];
  readonly show = (more: Shown): void => {
    Object.assign(this.#shown, more);
    for (const look of this.#waiting) look();
  };

  until(wanted: Shown): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (Object.entries(wanted).every(([name, value]) => this.#shown[name] === value)) resolve();
      };
      this.#waiting.push(look);
      look();
    });
  }
}

test("twenty lines of the stock client follow a job and count, over a broken line", async () => {
  expect(plain!.trim().split("\n").length).toBeLessThan(20);
  const job = await worker.job().start(4);
  const user = `u-${randomUUID()}`;
  const seen = new Show();
  const socket = (await new Code("io", "url", "token", "jobId", "show", `${plain}; return { socket }`)(io, hub.url, mint(hub.secret, user), job.id, seen.show)) as { socket: ReturnType<typeof io> };
  ends.push(() => socket.socket.disconnect());
  await seen.until({ percentage: 0, unread: 0 });
  await job.scenarios(1);
  await worker.notify([user], "one");
  await seen.until({ percentage: 25, unread: 1 });
  (socket.socket.io.engine as unknown as { close(): void }).close();
  await job.scenarios(1);
  await worker.notify([user], "two");
  await seen.until({ percentage: 50, unread: 2 });
});

test("the SDK's example follows a job, counts, and marks what it found", async () => {
  const job = await worker.job().start(2);
  const user = `u-${randomUUID()}`;
  const seen = new Show();
  const first = sdk.createHub({ url: hub.url, token: mint(hub.secret, user) });
  ends.push(() => first.close());
  await sdk.until(first.connection(), ({ status }) => status === "online");
  await worker.notify([user], "one");
  await sdk.until(first.inbox(), ({ count }) => count === 1);
  const createHub = (options: sdk.HubOptions): sdk.HubClient => {
    const made = sdk.createHub(options);
    ends.push(() => made.close());
    return made;
  };
  await new Code("createHub", "view", "url", "fetchToken", "jobId", "show", withSdk!)(createHub, sdk.view, hub.url, () => mint(hub.secret, user), job.id, seen.show);
  await seen.until({ status: "online", queued: 0, unread: 0, feed: "live", job: "GENERATING", percentage: 0 });
  await job.scenarios(2);
  await worker.notify([user], "two");
  await seen.until({ percentage: 100, title: "two", unread: 1 });
});
