// As far as guides use them: `sendCommand` of the package redis, `xadd` of ioredis.
import { connect } from "node:net";

const at = new URL(process.argv[2]);
const socket = connect(Number(at.port), at.hostname);

export const redis = {
  sendCommand: (args) =>
    new Promise((resolve, reject) => {
      const parts = args.map((each) => `$${Buffer.byteLength(each)}\r\n${each}\r\n`);
      socket.write(`*${args.length}\r\n${parts.join("")}`);
      socket.once("data", (answer) => (answer[0] === 45 ? reject(new Error(String(answer))) : resolve(answer)));
    }),
  xadd: (...args) => redis.sendCommand(["XADD", ...args]),
  end: () => socket.end(),
};
