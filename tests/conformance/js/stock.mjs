// The stock socket.io-client against a conformance server: says what happened as one line of JSON.
import { io } from "../../../web/node_modules/socket.io-client/build/esm/index.js";

const [url, transports] = process.argv.slice(2);
const options = {
  auth: { token: "123" },
  forceNew: true,
  reconnectionDelay: 10,
  ...(transports && { transports: transports.split(",") }),
};

const BURST = 300;
const happened = {};
const next = (socket, event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)));

const socket = io(url, options);
const auth = next(socket, "auth");
const upgraded = next(socket.io.engine, "upgrade");
await next(socket.io.engine, "open");
happened.firstTransport = socket.io.engine.transport.name;
happened.auth = (await auth)[0];

// While the connection may be upgrading: everything arrives, once and in order.
const echoed = [];
socket.on("message-back", (number) => echoed.push(number));
for (let number = 0; number < BURST; number++) {
  socket.emit("message", number);
  if (number % 50 === 49) {
    await socket.timeout(5000).emitWithAck("message-with-ack", number);
  }
}
happened.inOrder = echoed.length === BURST && echoed.every((number, index) => number === index);
if (!transports) {
  await upgraded;
}
happened.lastTransport = socket.io.engine.transport.name;

happened.ack = await socket.timeout(5000).emitWithAck("message-with-ack", { a: [1] });
const bytes = await socket.timeout(5000).emitWithAck("message-with-ack", Buffer.from([1, 2, 3]));
happened.bytes = [...bytes];

const custom = socket.io.socket("/custom", { auth: { token: "456" } });
happened.customAuth = (await next(custom, "auth"))[0];
happened.customAck = await custom.timeout(5000).emitWithAck("message-with-ack", "custom");
custom.disconnect();

const unknown = socket.io.socket("/unknown");
happened.refused = (await next(unknown, "connect_error"))[0].message;

happened.stillThere = await socket.timeout(5000).emitWithAck("message-with-ack", "still");

// Longer than the server's ping timeout: the heartbeat holds the connection.
const sid = socket.id;
await new Promise((resolve) => setTimeout(resolve, 1500));
happened.held = socket.connected && socket.id === sid;

// The line drops; the client comes back by itself.
const dropped = next(socket, "disconnect");
const returned = next(socket, "connect");
socket.io.engine.transport.onError("cut", new Error("cut"));
happened.dropped = (await dropped)[0];
await returned;
happened.returned = await socket.timeout(5000).emitWithAck("message-with-ack", "again");

socket.disconnect();
process.stdout.write(JSON.stringify(happened) + "\n");
