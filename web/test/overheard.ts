/** What the tests of a file send and get over Socket.IO is held against the documents, as that of the
 * Python tests is. */
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

let sockets = 0;
/** Listens to the pages of a browser, too. */
export function overhearPages(context: BrowserContext): void {
  context.on("page", (page) => page.on("websocket", (socket) => {
    if (!new URL(socket.url()).pathname.endsWith("/socket.io/")) return;
    const line = `page ${++sockets}`;
    const frame = (sent: boolean) => ({ payload }: { payload: string | Buffer }) => {
      if (typeof payload === "string" && payload.startsWith("4")) say(line, sent, payload.slice(1));
    };
    socket.on("framesent", frame(true)).on("framereceived", frame(false));
  }));
}

afterAll(async () => {
  if (!said.length) return;
  const judge = spawn(`${ROOT}.venv/bin/python`, ["-m", "tests.support.overheard"], { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(judge, "exit");
  judge.stdin.end(`${said.splice(0).join("\n")}\n`);
  expect(await text(judge.stdout), "not as described").toBe("");
  expect(await ended).toEqual([0, null]);
});
