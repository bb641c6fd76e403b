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
socket.on("event", show).on("connect_error", (e) => console.error(e.message));
socket.on("connect", () => {
  // A callback, not `await`: newer events may come along with the answer, and must not be shown first.
  socket.emit("subscribe", { channel, ...position }, ({ ok, data, error }) => {
    ok ? data.events.forEach(show) : console.error(error);
  });
});
