// Node's http: one loop writes each event to all responses.
//
//     node node_server.mjs PORT

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const TEMPLATE = readFileSync(new URL("../event.txt", import.meta.url), "latin1");
const BACKLOG_BYTES = 65536; // per client; what it misses when that is full is lost to it
const PERIOD_MS = 1000 / Number(process.env.BENCHMARK_RATE_HZ);
const EVENTS_PER_WRITE = Math.round(Number(process.env.BENCHMARK_FLUSH_MS) / PERIOD_MS);

const clients = new Set();
const server = createServer((request, response) => {
  if (request.url !== "/events") {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  response.flushHeaders();
  clients.add(response);
  response.on("close", () => clients.delete(response));
});

// Node's timers count whole milliseconds, so each asks for the rest of the time to the next tick.
// A late one makes up for it, with a turn of the event loop in between.
const beginMs = performance.now();
let seq = 0;
let batch = [];

function tick() {
  seq += 1;
  const bornNs = process.hrtime.bigint(); // CLOCK_MONOTONIC
  batch.push(TEMPLATE.replaceAll("@seq@", seq).replace("@t_ns@", bornNs));
  if (batch.length >= EVENTS_PER_WRITE) {
    const bytes = Buffer.from(batch.join(""), "latin1");
    batch = [];
    for (const response of clients) {
      if (response.writableLength < BACKLOG_BYTES) response.write(bytes);
    }
  }
  schedule();
}

function schedule() {
  const waitMs = beginMs + (seq + 1) * PERIOD_MS - performance.now();
  if (waitMs > 0) setTimeout(tick, waitMs);
  else setImmediate(tick);
}

server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
schedule();
