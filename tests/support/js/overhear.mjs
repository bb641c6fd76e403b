// What goes over the lines of all stock clients of a process, packet by packet, for
// tests/support/overheard.py to hold against the documents.
const REMEMBERED = 10_000; // events

// `Manager`: of the socket.io-client that they are made with. `say`: is given each packet, with the
// number of its line and whether the client sent it; an event that comes to many is said once.
export function overhear(Manager, say) {
  const { open } = Manager.prototype;
  const known = new Set();
  let lines = 0;

  function came(line, packet) {
    if (!packet.startsWith("2")) return say(line, false, packet);
    const event = packet.replace(/,"[^"]*"\]$/, ',""]'); // the recovery string is each client's own
    if (known.has(event)) return;
    if (known.size === REMEMBERED) known.clear();
    known.add(event);
    say(line, false, event);
  }

  Manager.prototype.open = function (...args) {
    const { engine } = this;
    open.apply(this, args);
    if (this.engine === engine) return this;
    const line = ++lines;
    const texts = (then) => ({ type, data }) => type === "message" && typeof data === "string" && then(data);
    this.engine.on("packet", texts((packet) => came(line, packet)));
    this.engine.on("packetCreate", texts((packet) => say(line, true, packet)));
    return this;
  };
}
