// Devices of one user, each on a node of its own: stock socket.io-clients in one process, so that one
// clock says when each of them knows. The first line on stdin has the settings; every other one is a
// request [action, ...arguments], answered by a line on stdout before the next one is read.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const LIMIT = 10_000; // milliseconds that a change may take
const now = () => Number(process.hrtime.bigint()) / 1e6; // the machine's monotonic clock

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { urls, token } = JSON.parse((await lines.next()).value);
let heard = () => {}; // called whenever somebody learnt something

// What a device shows is the count of the highest version that it was told.
class Device {
  unread = { count: 0, version: -1 };
  at = 0; // when it was told so

  constructor(url) {
    this.socket = io(url, { auth: { token }, transports: ["websocket"], forceNew: true, reconnection: false });
    this.socket.on("event", ({ data }) => this.learn(data.unread));
    this.greeted = new Promise((resolve, reject) => {
      this.socket.on("connect_error", (error) => reject(error));
      this.socket.on("hello", ({ unread }) => resolve(this.learn(unread)));
    });
  }

  learn(unread) {
    if (!unread || unread.version <= this.unread.version) return;
    [this.unread, this.at] = [unread, now()];
    heard();
  }
}

const devices = urls.map((url) => new Device(url));

// Waits until all devices show `count` with one version above `version`; null when they do not.
function settled(count, version) {
  const all = () =>
    devices.every(({ unread }) => unread.count === count && unread.version === devices[0].unread.version) &&
    devices[0].unread.version > version;
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish(null), LIMIT);
    const finish = (found) => {
      clearTimeout(timer);
      heard = () => {};
      resolve(found);
    };
    heard = () => all() && finish({ unread: devices[0].unread, told: devices.map(({ at }) => at) });
    heard();
  });
}

let version = -1;
async function converge(count) {
  const found = await settled(count, version);
  if (found) version = found.unread.version;
  return found;
}

const actions = {
  // All are connected and show the same; how much that is.
  async start() {
    await Promise.all(devices.map((device) => device.greeted));
    version = Math.min(...devices.map(({ unread }) => unread.version));
    return devices[0].unread.count;
  },
  converge,
  // One device marks and has its answer; then the others show the same.
  async mark(who, id, as, count) {
    const asked = now();
    const answer = await devices[who].socket.timeout(LIMIT).emitWithAck("notifications:mark", { ids: [id], as });
    const answered = now();
    if (!answer.ok) throw new Error(`refused to mark: ${answer.error.code}`);
    devices[who].learn(answer.data.unread);
    const found = await converge(count);
    return found && { asked, answered, ...found };
  },
};

for await (const line of lines) {
  const [action, ...args] = JSON.parse(line);
  try {
    process.stdout.write(JSON.stringify({ result: await actions[action](...args) }) + "\n");
  } catch (error) {
    process.stdout.write(JSON.stringify({ error: String(error.message ?? error) }) + "\n");
  }
}
process.exit();
