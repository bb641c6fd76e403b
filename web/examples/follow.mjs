// Follows a job, whatever happens to the connection: node web/examples/follow.mjs URL TOKEN JOB
import { io } from "socket.io-client";
const [url, token, job] = process.argv.slice(2);
const socket = io(url, { auth: { token } });
const channel = `job:${job}`;
let position = {}; // where we are in the job's log
const show = (e) => {
  if (e.channel !== channel) return; // the user's own notifications come as events, too
  position = { epoch: e.epoch, offset: e.offset };
  console.log(e.offset, e.type, e.progress?.percentage ?? "");
};
socket.on("event", show).on("connect_error", ({ message, data }) => {
  console.error(message);
  // refused by the hub, not by the network: the stock client leaves it to us to ask again
  if (data?.retry) setTimeout(() => socket.connect(), 1000 * (data.retryAfter ?? 1));
});
const subscribe = () =>
  // a callback, not emitWithAck: it runs before the events that come right behind the answer
  socket.emit("subscribe", { channel, ...position }, ({ ok, data, error }) => {
    if (ok) data.events.forEach(show);
    else console.error(error);
    if (error?.retry) setTimeout(() => socket.connected && subscribe(), 1000 * (error.retryAfter ?? 1));
  });
socket.on("connect", subscribe);
