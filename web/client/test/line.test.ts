/** What the line does when the hub says goodbye. The hub here is a few packets by hand: for ways to
 * end a connection that take a real one half an hour, an administrator or an outage. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import { Line, type LineState } from "../src/line";
import type { Position } from "../src/protocol";
import { Credentials } from "../src/token";

type Serve = (socket: WebSocket, connect: { token: string; channels: Record<string, Position> }, count: number) => void;

const STEADY_AFTER = 0.3;
const HELLO = { v: 1, sid: "s", userId: "u", serverTime: new Date().toISOString(), recovered: false, unread: { count: 0, version: 0 }, channels: [], notices: [] };
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const say = (socket: WebSocket, name: string, data: unknown): void => socket.send(`42${JSON.stringify([name, data, "o"])}`);
const welcome: Serve = (socket) => {
  socket.send('40{"sid":"s","pid":"p"}');
  say(socket, "hello", HELLO);
};
const refuse = (code: string, more: object = {}): Serve => (socket) =>
  socket.send(`44${JSON.stringify({ message: code, data: { code, message: code, retry: true, ...more } })}`);
const closing = (code: string, more: object = {}): Serve => (socket, connect, count) => {
  welcome(socket, connect, count);
  say(socket, "closing", { code, message: code, reconnect: true, ...more });
  socket.close();
};

/** A line to a server that treats connection n as the nth of `serves`, and later ones as the last. */
async function line(...serves: Serve[]): Promise<{ line: Line; states: LineState[]; tokens: string[]; connects: () => number; reach(test: (state: LineState) => boolean): Promise<LineState> }> {
  const server = new WebSocketServer({ port: 0, path: "/socket.io/" });
  let connects = 0;
  const tokens: string[] = [];
  server.on("connection", (socket) => {
    const serve = serves[Math.min(connects++, serves.length - 1)]!;
    socket.send(`0${JSON.stringify({ sid: "e", upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 65_536 })}`);
    socket.on("message", (data: Buffer) => {
      const text = data.toString();
      if (!text.startsWith("40")) return;
      const auth = JSON.parse(text.slice(2)) as { token: string; channels: Record<string, Position> };
      tokens.push(auth.token);
      serve(socket, auth, connects);
    });
  });
  await once(server, "listening");
  const states: LineState[] = [];
  const waiting: { test: (state: LineState) => boolean; found: (state: LineState) => void }[] = [];
  let asked = 0;
  const made = new Line(
    { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, path: "/socket.io/", credentials: new Credentials(() => `token ${++asked}`), random: () => -1.49, steadyAfter: STEADY_AFTER },
    {
      hello: () => {}, event: () => {}, reset: () => {}, positions: () => ({}),
      changed: (state) => {
        states.push(state);
        for (const each of waiting) if (each.test(state)) each.found(state);
      },
    },
  );
  ends.push(() => (made.close(), server.close(), server.clients.forEach((each) => each.terminate())));
  made.connect();
  const reach = (test: (state: LineState) => boolean): Promise<LineState> =>
    test(made.state) ? Promise.resolve(made.state) : new Promise((found) => waiting.push({ test, found }));
  return { line: made, states, tokens, connects: () => connects, reach };
}

test("it comes back after the hub took a break, and not before the hub said", async () => {
  const { reach, states } = await line(closing("DRAINING", { retryAfter: 0.3 }), welcome);
  const { retryAt } = await reach(({ status }) => status === "waiting");
  expect(retryAt! - Date.now()).toBeGreaterThan(150);
  await reach(({ status }) => status === "open");
  expect(states.find(({ status }) => status === "waiting")!.error!.code).toBe("DRAINING");
});

test("a refusal that may pass is asked again: a stock client would not", async () => {
  const { reach, connects } = await line(refuse("UNAVAILABLE", { retryAfter: 0.05 }), refuse("RATE_LIMITED", { retryAfter: 0.05 }), welcome);
  await reach(({ status }) => status === "open");
  expect(connects()).toBe(3);
});

test("an idle line stays away until the user does something", async () => {
  const { line: idle, reach, connects } = await line(closing("IDLE_TIMEOUT"), welcome);
  await reach(({ status }) => status === "idle");
  expect(connects()).toBe(1);
  idle.wake("user");
  await reach(({ status }) => status === "open");
});

test("who was kicked stays away, whatever the user does, until the program asks", async () => {
  const { line: kicked, reach, connects } = await line(closing("KICKED", { reconnect: false }), welcome);
  await reach(({ status }) => status === "refused");
  kicked.wake("user");
  kicked.wake("online");
  expect(kicked.state.status).toBe("refused");
  expect(connects()).toBe(1);
  kicked.wake("asked");
  await reach(({ status }) => status === "open");
});

test("a ban ends when the hub said it would", async () => {
  const { reach } = await line(closing("BANNED", { reconnect: false, retryAfter: 0.2 }), welcome);
  const { retryAt } = await reach(({ status }) => status === "refused");
  expect(retryAt! - Date.now()).toBeGreaterThan(100);
  await reach(({ status }) => status === "open");
});

test("an expired token is replaced", async () => {
  const { reach, tokens } = await line(closing("TOKEN_EXPIRED"), welcome);
  await reach(({ status }) => status === "waiting");
  await reach(({ status }) => status === "open");
  expect(tokens).toEqual(["token 1", "token 2"]);
});

test("a token that is about to expire is replaced on the open line", async () => {
  const refreshed = new Promise((found) => {
    void line((socket, connect, count) => {
      welcome(socket, connect, count);
      socket.on("message", (data: Buffer) => {
        const found_ = /^42(\d+)(.*)$/.exec(data.toString());
        if (found_) found(JSON.parse(found_[2]!));
      });
      say(socket, "token-expiring", { expiresAt: new Date().toISOString() });
    });
  });
  expect(await refreshed).toEqual(["auth:refresh", { token: "token 2" }]);
});

test("after five attempts it gives up, and tries again when the user does something", async () => {
  const cut: Serve = (socket) => socket.terminate();
  const { line: down, reach, connects } = await line(cut, cut, cut, cut, cut, welcome);
  const { attempt } = await reach(({ status }) => status === "down");
  expect([attempt, connects()]).toEqual([5, 5]);
  down.wake("user");
  await reach(({ status }) => status === "open");
});

test("a line that is cut after it was accepted, but before hello, is an attempt that failed", async () => {
  const cut: Serve = (socket) => {
    socket.send('40{"sid":"s","pid":"p"}');
    socket.terminate();
  };
  const { reach, connects } = await line(cut);
  const { attempt } = await reach(({ status }) => status === "down");
  expect([attempt, connects()]).toEqual([5, 5]);
});

test("so is one that the hub ends before hello without saying when to come back", async () => {
  const end: Serve = (socket) => {
    socket.send('40{"sid":"s","pid":"p"}');
    say(socket, "closing", { code: "SLOW_CONSUMER", message: "", reconnect: true });
    socket.close();
  };
  const { reach, connects } = await line(end);
  const { attempt } = await reach(({ status }) => status === "down");
  expect([attempt, connects()]).toEqual([5, 5]);
});

const helloAndCut: Serve = (socket, connect, count) => {
  welcome(socket, connect, count);
  socket.close();
};

test("a hub that says hello and always cuts is asked less and less often, and then no more", async () => {
  const { line: down, reach, states, connects } = await line(helloAndCut);
  const { attempt } = await reach(({ status }) => status === "down");
  expect([attempt, connects()]).toEqual([5, 5]);
  expect(states.filter(({ status }) => status === "waiting").map((each) => each.attempt)).toEqual([1, 2, 3, 4]);
  down.wake("user"); // counts from the beginning
  await reach(({ status, attempt: count }) => status === "waiting" && count === 1);
});

test("attempts count from the beginning once a line has held", async () => {
  const hold: Serve = (socket, connect, count) => {
    welcome(socket, connect, count);
    setTimeout(() => socket.close(), STEADY_AFTER * 2000);
  };
  const { reach, states } = await line(helloAndCut, helloAndCut, hold, welcome);
  await reach(({ status, attempt }) => status === "waiting" && attempt === 2);
  await reach(({ status }) => status === "open");
  await reach(({ status, attempt }) => status === "waiting" && attempt === 0);
  await reach(({ status }) => status === "open");
  expect(states.filter(({ status }) => status === "waiting").map(({ attempt }) => attempt)).toEqual([1, 2, 0]);
});
