// Does with a guide's code what its reader would: runs one piece after another, in one global scope.
import { createInterface } from "node:readline";
import { runInThisContext } from "node:vm";
import { io, Manager } from "../../../web/node_modules/socket.io-client/build/esm/index.js";
import { overhear } from "../../support/js/overhear.mjs";

const report = (...entry) => process.stdout.write(JSON.stringify(entry) + "\n");
const plain = (value) => (value instanceof Error ? { message: value.message, data: value.data } : value);
const tell = (name, value) => report("told", name, plain(value));
overhear(Manager, (...packet) => report("packet", ...packet));
Object.assign(globalThis, { io, tell }, JSON.parse(process.argv[2]));

createInterface({ input: process.stdin }).on("line", async (line) => {
  const [number, action, code] = JSON.parse(line);
  try {
    const value = await runInThisContext(code);
    report("reply", number, action === "value" ? (value ?? null) : null);
  } catch (error) {
    report("reply", number, { thrown: String(error) });
  }
});
