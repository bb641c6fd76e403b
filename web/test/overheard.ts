/** What the tests of a file send and get over Socket.IO, raw WebSockets and HTTP is held against the
 * documents, as that of the Python tests is. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { BrowserContext } from "playwright-core";
import { Manager } from "socket.io-client";
import { afterAll, expect } from "vitest";
import { overhear, type Say } from "../../tests/support/js/overhear.mjs";

const ROOT = new URL("../..", import.meta.url).pathname;
const said: string[] = [];

const say: Say = (...packet) => said.push(JSON.stringify(packet));
overhear(Manager, say);

/** An HTTP answer, with the body that was asked with, if both are text. */
function answered(method: string, url: string, asked: unknown, status: number, type: string | null, body: string): void {
  said.push(JSON.stringify(["http", method, url, typeof asked === "string" ? asked : null, status, type ?? "", body]));
}

const send = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const answer = await send(input, init);
  const type = answer.headers.get("content-type");
  if (/json/.test(type ?? "")) answered(init?.method ?? "GET", answer.url, init?.body, answer.status, type, await answer.clone().text());
  return answer;
};

let sockets = 0;
const reading = new Set<Promise<void>>();
/** Listens to the pages of a browser, too. */
export function overhearPages(context: BrowserContext): void {
  context.on("page", (page) => page.on("websocket", (socket) => {
    if (!new URL(socket.url()).pathname.endsWith("/socket.io/")) {
      socket.on("framereceived", ({ payload }) => said.push(JSON.stringify(["raw", payload.toString()])));
      return;
    }
    const line = `page ${++sockets}`;
    const frame = (sent: boolean) => ({ payload }: { payload: string | Buffer }) => {
      if (typeof payload === "string" && payload.startsWith("4")) say(line, sent, payload.slice(1));
    };
    socket.on("framesent", frame(true)).on("framereceived", frame(false));
  }));
  context.on("response", (answer) => {
    const type = answer.headers()["content-type"] ?? "";
    if (!/json/.test(type)) return;
    const request = answer.request();
    const read = answer.text().then(
      (body) => answered(request.method(), answer.url(), request.postData(), answer.status(), type, body),
      () => undefined, // the page was left before it had it
    ).finally(() => reading.delete(read));
    reading.add(read);
  });
}

afterAll(async () => {
  await Promise.all(reading);
  if (!said.length) return;
  const judge = spawn(`${ROOT}.venv/bin/python`, ["-m", "tests.support.overheard"], { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(judge, "exit");
  judge.stdin.end(`${said.splice(0).join("\n")}\n`);
  expect(await text(judge.stdout), "not as described").toBe("");
  expect(await ended).toEqual([0, null]);
});
