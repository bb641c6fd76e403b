// The one event of the benchmark, from the template that bench/payload.py made (BENCH_EVENT).
"use strict";

const template = JSON.parse(process.env.BENCH_EVENT);
const title = template.data.title.replace(/sent=\d+$/, "");

// Monotonic microseconds: the clock of bench/payload.py and of the load client.
const stamp = () => "sent=" + String(process.hrtime.bigint() / 1000n).padStart(16, "0");

function envelope(offset, sent = "sent=" + "0".repeat(16)) {
  return {
    ...template,
    id: template.id.slice(0, -12) + offset.toString(16).padStart(12, "0"),
    offset,
    data: {
      ...template.data,
      scenarioId: "scenario-" + String(offset).padStart(8, "0"),
      title: title + sent,
    },
  };
}

module.exports = { envelope, stamp };
