// Follows a job, whatever happens to the connection: node web/examples/follow.mjs URL TOKEN JOB
import { io } from "socket.io-client";
const [url, token, job] = process.argv.slice(2);
const socket = io(url, { auth: { token } });
let position = {}; // where we are in the job's log
const show = (e) => { position = { epoch: e.epoch, offset: e.offset }; console.log(e.offset, e.type, e.progress?.percentage ?? ""); };
socket.on("event", show).on("connect_error", (e) => console.error(e.message));
socket.on("connect", async () => {
  const { ok, data, error } = await socket.emitWithAck("subscribe", { channel: `job:${job}`, ...position });
  ok ? data.events.forEach(show) : console.error(error);
});
