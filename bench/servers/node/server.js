// Node's socket.io as its documentation shows it. `node server.js REDIS_URL|-`; prints
// `ready PORT`. A client's `run` command makes it emit by itself, without Redis.
"use strict";

const http = require("node:http");
const { Server } = require("socket.io");
const { envelope, stamp } = require("./event");

const turn = () => new Promise(setImmediate);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const seconds = () => Number(process.hrtime.bigint()) / 1e9;

// {seconds, room, rooms, members, burst, rate}: see emit_events in bench/servers/bare_server.py.
async function emitEvents(io, { seconds: length, room: pattern, rooms: count, members, burst, rate }) {
  const rooms = Array.from({ length: count }, (_, number) => pattern.replace("{}", number));
  let emits = 0;
  const began = seconds();
  let due = began;
  while (seconds() < began + length) {
    for (let i = 0; i < burst; i++) {
      const room = rooms[emits % rooms.length];
      emits++;
      io.to(room).emit("event", envelope(emits, stamp()));
    }
    if (rate) {
      due += 1 / rate;
      await sleep(Math.max(0, (due - seconds()) * 1000));
    } else {
      await turn();
    }
  }
  return emits * members;
}

async function adapter(url) {
  const { createClient } = require("redis");
  const { createAdapter } = require("@socket.io/redis-adapter");
  const publisher = createClient({ url });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  return createAdapter(publisher, subscriber);
}

async function main(redisUrl) {
  const server = http.createServer();
  const io = new Server(server);
  if (redisUrl !== "-") io.adapter(await adapter(redisUrl));
  io.on("connection", (socket) => {
    socket.join(socket.handshake.auth.room);
    socket.on("probe", (answer) => answer("ok"));
    socket.on("run", async (order) => {
      socket.emit("done", { deliveries: await emitEvents(io, order) });
    });
  });
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
    console.log("ready", server.address().port);
  });
}

main(process.argv[2]);
