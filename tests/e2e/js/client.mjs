// The stock socket.io-client as a test's puppet: reports everything on stdout, one JSON array per
// line, and does what stdin says. It resumes the explicit way: by epoch and offset per channel.
import { createInterface } from "node:readline";
import { io, Manager } from "../../../web/node_modules/socket.io-client/build/esm/index.js";
import { overhear } from "../../support/js/overhear.mjs";

const { url, token, follow = [], listen = [], transports, auth } = JSON.parse(process.argv[2]);
const report = (...entry) => process.stdout.write(JSON.stringify(entry) + "\n");
const positions = {};
overhear(Manager, (...packet) => report("packet", ...packet));

const socket = io(url, {
  auth: auth ?? { token },
  ...(transports && { transports }),
  reconnectionDelay: 50,
  reconnectionDelayMax: 500,
});

function take(event) {
  positions[event.channel] = { epoch: event.epoch, offset: event.offset };
  report("event", event);
}

// In a callback: several packets may come in one read, and what follows an `await` runs after all of them.
function subscribe(channel) {
  return new Promise((resolve, reject) => {
    socket.timeout(10_000).emit("subscribe", { channel, ...positions[channel] }, (error, answer) => {
      error ? reject(error) : resolve(subscribed(channel, answer));
    });
  });
}

function subscribed(channel, answer) {
  if (answer.ok) {
    const { epoch, offset, mode, events } = answer.data;
    events.forEach(take);
    positions[channel] = { epoch, offset };
    report("subscribed", channel, mode, offset);
  } else {
    report("refused", channel, answer.error);
  }
  return answer;
}

socket.on("connect", () => {
  report("connect", socket.recovered);
  follow.forEach((channel) => subscribe(channel).catch((error) => report("lost", channel, String(error))));
});
socket.on("event", take);
for (const name of ["hello", "reset", "closing", "token-expiring", ...listen]) {
  socket.on(name, (...args) => report(name, ...args));
}
socket.on("connect_error", (error) => report("connect_error", error.message, error.data));
socket.on("disconnect", (reason) => report("disconnect", reason));

const actions = {
  command: (name, payload) => socket.timeout(10_000).emitWithAck(name, ...(payload === null ? [] : [payload])),
  subscribe,
  emit: (...args) => socket.emit(...args).connected,
  raw: (...args) => socket.timeout(10_000).emitWithAck(...args),
  offline: () => socket.disconnect().connected,
  online: () => socket.connect().connected,
  cut: () => {
    const { engine } = socket.io;
    engine.transport.ws ? engine.transport.ws.terminate() : engine.close();
    return true;
  },
  transport: () => socket.io.engine.transport.name,
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const [number, action, ...args] = JSON.parse(line);
  let result;
  try {
    result = await actions[action](...args);
  } catch (error) {
    result = { thrown: String(error) };
  }
  report("reply", number, result ?? null);
});
