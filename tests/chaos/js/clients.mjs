// Stock clients in one process, which write down what they get. The first line on stdin has the
// settings; every other one is a request [number, action, ...arguments], answered on stdout.
import { createInterface } from "node:readline";
import { io, Manager } from "../../../web/node_modules/socket.io-client/build/esm/index.js";
import { overhear } from "../../support/js/overhear.mjs";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { url, bare, clients: wanted } = JSON.parse((await lines.next()).value);
const report = (...entry) => process.stdout.write(JSON.stringify(entry) + "\n");
if (!bare) overhear(Manager, (...packet) => report("packet", ...packet));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Client {
  unread = null; // {count, version}, of all that it was told the one of the highest version
  entries = []; // [what, channel, epoch, offset, id]: "b" began, "e" event, "r" reset
  positions = {}; // channel → {epoch, offset}: up to where it has the log
  asked = new Set(); // channels of commands that are not answered
  ready = new Set(); // channels that it was told to follow, at any time
  connects = [];
  refusals = {}; // code → how often
  silence = 0; // longest time without an event, milliseconds; away: without a connection; wait: for an answer
  away = 0;
  wait = 0;
  heardAt = 0;
  measured = true;
  known = new Map(); // id → createdAt, of the notifications that it was given
  marks = []; // what it marked, and what it was answered
  open = 0; // marks that are not settled
  leftAt = 0;
  alive = 0;

  // own: followed by the connect itself. channels: followed by a command. resume: of one that is
  // rid of its session whenever it is disconnected, so that it has to come back by its offsets
  constructor({ token, own, channels, resume, transports }) {
    Object.assign(this, { own, channels, resume });
    this.socket = io(url, {
      auth: (give) => give(bare ? {} : { token, channels: this.positionsOf(own) }),
      ...(transports && { transports }),
      forceNew: true,
      reconnectionDelay: 100,
      reconnectionDelayMax: 1000,
      timeout: 5000,
    });
    this.socket.on("connect", () => this.connected());
    this.socket.on("disconnect", () => this.disconnected());
    this.socket.on("connect_error", (error) => this.turnedAway(error));
    this.socket.on("hello", (hello) => this.greeted(hello));
    this.socket.on("event", (event) => this.take(event));
    this.socket.on("reset", (reset) => this.reset(reset));
    this.socket.on("closing", (closing) => this.refused(`closing ${closing.code}`));
  }

  positionsOf(channels) {
    return Object.fromEntries(channels.filter((name) => this.positions[name]).map((name) => [name, this.positions[name]]));
  }

  connected() {
    this.alive += 1;
    this.measure(Date.now());
    this.leftAt = 0;
    if (bare) this.join();
  }

  disconnected() {
    this.alive += 1;
    this.leftAt = Date.now();
    if (this.resume) this.socket._pid = undefined;
  }

  // The stock client tries again by itself when it gets no connection. If the hub refuses one, whether
  // and when to ask again is up to the application.
  async turnedAway(error) {
    this.refused(error.data?.code ?? error.message);
    if (this.socket.active || !error.data?.retry) return;
    await pause(1000 * (error.data.retryAfter ?? 1));
    this.socket.connect();
  }

  refused(code) {
    this.refusals[code] = (this.refusals[code] ?? 0) + 1;
  }

  // What a client shows as unread: of several, the highest version is right.
  counts(unread) {
    if (unread && unread.version >= (this.unread?.version ?? -1)) this.unread = unread;
  }

  greeted({ recovered, channels, unread }) {
    this.counts(unread);
    this.connects.push(recovered);
    const followed = new Set();
    for (const { channel, epoch, offset } of channels) {
      followed.add(channel);
      if (!this.positions[channel] && this.own.includes(channel)) this.begin(channel, epoch, offset);
    }
    for (const channel of this.channels) {
      if (!followed.has(channel) || !this.ready.has(channel) || this.asked.has(channel)) this.subscribe(channel);
    }
  }

  begin(channel, epoch, offset) {
    this.positions[channel] = { epoch, offset };
    this.ready.add(channel);
    this.entries.push(["b", channel, epoch, offset]);
  }

  // Not emitWithAck: its promise is resolved a moment later, when an event that came right behind the
  // answer has been handled already. A connection that breaks before the answer asks again.
  subscribe(channel) {
    const life = this.alive;
    const asked = Date.now();
    this.asked.add(channel);
    this.socket.emit("subscribe", { channel, ...this.positions[channel] }, async (answer) => {
      this.wait = Math.max(this.wait, Date.now() - asked);
      if (answer.ok) {
        this.asked.delete(channel);
        return this.follows(answer.data);
      }
      this.refused(`subscribe ${answer.error.code}`);
      await pause(1000 * (answer.error.retryAfter ?? 1));
      if (this.alive === life) this.subscribe(channel);
    });
  }

  follows({ channel, epoch, offset, mode, events }) {
    if (mode === "RESET") return this.reset({ channel, epoch, offset });
    if (!this.ready.has(channel)) this.begin(channel, epoch, offset - events.length);
    events.forEach((event) => this.take(event));
    this.positions[channel] = { epoch, offset };
  }

  async join() {
    for (const channel of [...this.own, ...this.channels]) {
      try {
        await this.socket.emitWithAck("join", channel);
      } catch {
        return;
      }
      if (!this.ready.has(channel)) this.begin(channel, "bare", 0);
    }
  }

  take({ channel, epoch, offset, id, type, data }) {
    this.counts(data?.unread);
    if (type === "NOTIFICATION_CREATED" && this.own.includes(channel)) this.known.set(data.id, data.createdAt);
    const now = Date.now();
    this.measure(now);
    this.heardAt = now;
    this.positions[channel] = { epoch, offset };
    this.entries.push(["e", channel, epoch, offset, id]);
  }

  reset({ channel, epoch, offset, snapshot }) {
    this.counts(snapshot?.unread);
    this.positions[channel] = { epoch, offset };
    this.ready.add(channel);
    this.entries.push(["r", channel, epoch, offset]);
  }

  // Marks something that it was given: `draw`, 0..1, says which. UNREAD and RESTORED are for what it
  // marked before. `everything`: all up to the newest that it knows.
  mark(as, draw, everything) {
    const undo = as === "UNREAD" || as === "RESTORED";
    const from = undo ? this.marks.flatMap(({ ids }) => ids) : [...this.known.keys()];
    if (!from.length) return;
    const newest = () => [...this.known].reduce((a, b) => (a[1] + a[0] > b[1] + b[0] ? a : b))[0];
    const first = Math.floor(draw * from.length);
    const ids = everything ? from : [...new Set(from.slice(first, first + 2))];
    const mark = { ids, as, everything, asked: performance.now(), answered: null, changed: 0 };
    this.marks.push(mark);
    this.open += 1;
    const order = everything ? { ids: "all", as, upTo: newest() } : { ids, as };
    this.socket.timeout(10_000).emit("notifications:mark", order, (lost, answer) => {
      this.open -= 1;
      if (lost) return this.refused("mark without an answer");
      if (!answer.ok) return this.refused(`mark ${answer.error.code}`); // perhaps it was carried out
      Object.assign(mark, { answered: performance.now(), changed: answer.data.changed });
      this.counts(answer.data.unread);
    });
  }

  measure(now) {
    if (this.heardAt && this.measured) this.silence = Math.max(this.silence, now - this.heardAt);
    if (this.leftAt && this.measured) this.away = Math.max(this.away, now - this.leftAt);
  }

  // From now on little is published, and silence means nothing.
  unmeasured() {
    this.measure(Date.now());
    this.measured = false;
  }

  cut() {
    const { engine } = this.socket.io;
    engine.transport?.ws ? engine.transport.ws.terminate() : engine.close();
  }

  get isReady() {
    return [...this.own, ...this.channels].every((channel) => this.ready.has(channel));
  }

  get report() {
    const { entries, connects, refusals, silence, away, wait, marks } = this;
    return { entries, connects, refusals, silence, away, wait, marks };
  }
}

const clients = wanted.map((options) => new Client(options));
const actions = {
  ready: () => clients.filter((client) => client.isReady).length,
  cut: (numbers) => numbers.forEach((number) => clients[number].cut()),
  mark: (number, ...how) => clients[number].mark(...how),
  marking: () => clients.reduce((sum, client) => sum + client.open, 0),
  positions: () => clients.map((client) => client.positions),
  unread: () => clients.map((client) => client.unread),
  received: () => clients.reduce((sum, client) => sum + client.entries.length, 0),
  unmeasured: () => clients.forEach((client) => client.unmeasured()),
  report: () => clients.map((client) => client.report),
};
for await (const line of lines) {
  const [number, action, ...args] = JSON.parse(line);
  report(number, actions[action](...args) ?? null);
}
process.exit();
