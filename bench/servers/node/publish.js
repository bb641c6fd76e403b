// The official Redis emitter. `node publish.js REDIS_URL ROOM COUNT RATE` publishes like
// bench/publishers/pacing.py; `node publish.js record FILE MEMBERS COUNT ROOM...` writes a feed file
// (bench/feeds.py) of what the emitter would have published.
"use strict";

const fs = require("node:fs");
const { Emitter } = require("@socket.io/redis-emitter");
const { createClient } = require("redis");
const { envelope, stamp } = require("./event");

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const seconds = () => Number(process.hrtime.bigint()) / 1e9;

async function publish(url, room, count, rate) {
  const client = createClient({ url });
  await client.connect();
  const emitter = new Emitter(client);
  emitter.to("nobody").emit("warm-up", {});
  await client.ping();
  console.log("ready");
  await sleep(200);
  const began = seconds();
  let due = began;
  for (let number = 1; number <= count; number++) {
    if (rate && due > seconds()) await sleep((due - seconds()) * 1000);
    if (rate) due = Math.max(due + 1 / rate, seconds() - 1 / rate);
    emitter.to(room).emit("event", envelope(number, stamp()));
    if (!rate) await client.ping(); // the emitter does not wait for Redis; one after the other does
  }
  await client.ping();
  console.log(JSON.stringify({ published: count, seconds: seconds() - began }));
  await client.close();
}

function resp(parts) {
  const chunks = [Buffer.from(`*${parts.length}\r\n`)];
  for (const part of parts.map((p) => Buffer.from(p))) {
    chunks.push(Buffer.from(`$${part.length}\r\n`), part, Buffer.from("\r\n"));
  }
  return Buffer.concat(chunks);
}

function record(file, members, count, rooms) {
  const out = fs.openSync(file, "w");
  const emitter = new Emitter({
    publish(channel, payload) {
      const command = resp(["PUBLISH", channel, payload]);
      const head = Buffer.alloc(8);
      head.writeUInt32LE(command.length, 0);
      head.writeUInt32LE(members, 4);
      fs.writeSync(out, Buffer.concat([head, command]));
    },
  });
  for (let i = 0; i < count; i++) {
    emitter.to(rooms[i % rooms.length]).emit("event", envelope(i + 1));
  }
  fs.closeSync(out);
}

const [, , first, ...rest] = process.argv;
if (first === "record") {
  const [file, members, count, ...rooms] = rest;
  record(file, Number(members), Number(count), rooms);
} else {
  const [room, count, rate] = rest;
  publish(first, room, Number(count), Number(rate));
}
