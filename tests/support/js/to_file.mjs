// For `node --import`: what the stock clients of a script send and get goes to the file $OVERHEARD.
import { appendFileSync } from "node:fs";
// the build that `import "socket.io-client"` finds
import { Manager } from "../../../web/node_modules/socket.io-client/build/esm-debug/index.js";
import { overhear } from "./overhear.mjs";

overhear(Manager, (...packet) => appendFileSync(process.env.OVERHEARD, JSON.stringify(packet) + "\n"));
