// Many stock clients in one process, for tests of what happens to all of them at once. The first line
// on stdin has the settings; any other one asks who has what. Each resumes the explicit way.
import { createInterface } from "node:readline";
import { io, Manager } from "../../../web/node_modules/socket.io-client/build/esm/index.js";
import { overhear } from "../../support/js/overhear.mjs";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { urls, tokens, channel } = JSON.parse((await lines.next()).value);
const report = (...entry) => process.stdout.write(JSON.stringify(entry) + "\n");
overhear(Manager, (...packet) => report("packet", ...packet));
const started = process.hrtime.bigint();
const now = () => Number((process.hrtime.bigint() - started) / 1_000_000n);

const clients = tokens.map((token, number) => {
  const client = { offsets: [], closing: [], position: {}, at: 0 };
  const auth = (give) => give({ token, channels: { [channel]: client.position } });
  const take = (event) => {
    if (event.channel !== channel) return;
    client.position = { epoch: event.epoch, offset: event.offset };
    client.offsets.push(event.offset);
  };
  const socket = io(urls[0], { auth, transports: ["websocket"], forceNew: true });
  socket.on("hello", (hello) => {
    const own = hello.channels.find((each) => each.channel === channel);
    if (client.position.epoch === undefined) client.position = { epoch: own.epoch, offset: own.offset };
    report("hello", number, now());
  });
  socket.on("event", take);
  socket.on("connect_error", ({ data }) => { // a refusal that is to be tried again is the application's to try
    if (data?.retry) setTimeout(() => socket.connect(), (data.retryAfter ?? 1) * 1000);
  });
  socket.on("closing", (closing) => client.closing.push(closing));
  socket.on("disconnect", () => {
    socket.io.uri = urls[++client.at % urls.length]; // as a proxy would: the next attempt is another node's
  });
  socket.io.on("reconnect_error", () => {
    socket.io.uri = urls[++client.at % urls.length];
  });
  return { ...client, socket, state: () => ({ offsets: client.offsets, closing: client.closing }) };
});

for await (const _ of lines) {
  report("state", clients.map((client) => client.state()));
}
