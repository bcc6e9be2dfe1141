// A scoring service whose cost is known: CPU time per request and per wake-up, memory held, several processes.
const cluster = require("node:cluster");
const { createServer } = require("node:http");
const { parseArgs } = require("node:util");

const { values } = parseArgs({
  options: {
    "cpu-ms": { type: "string", default: "1" },
    "wake-ms": { type: "string", default: "0" },
    "memory-mb": { type: "string", default: "0" },
    processes: { type: "string", default: "1" },
  },
});
const cpuMs = Number(values["cpu-ms"]);
const wakeMs = Number(values["wake-ms"]);
const processes = Number(values.processes);

if (processes > 1 && cluster.isPrimary) {
  for (let i = 0; i < processes; i += 1) cluster.fork();
} else {
  globalThis.held = Buffer.alloc(Number(values["memory-mb"]) * 1_000_000, 1);
  const waiting = [];
  // What a batch costs is paid once for all that came in meanwhile: the cost per request falls with the rate.
  const answerAll = () => {
    spend(wakeMs);
    for (const response of waiting.splice(0)) {
      spend(cpuMs);
      response.end("{}");
    }
  };
  createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      waiting.push(response);
      if (waiting.length === 1) setTimeout(answerAll, wakeMs > 0 ? 5 : 0);
    });
  }).listen(Number(process.env.PORT), "127.0.0.1");
}

/** Uses so much CPU time of this process, however long that takes by the clock. */
function spend(ms) {
  const until = cpuTimeMs() + ms;
  while (cpuTimeMs() < until);
}

function cpuTimeMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
