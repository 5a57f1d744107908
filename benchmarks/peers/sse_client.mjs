// Others' SSE clients for Node, used as their own documentation shows.
//
//     node sse_client.mjs LIBRARY URL FOLDER     (FOLDER holds node_modules)
//
// Each event, and each error that reaches the program, becomes a line of JSON on standard output.
// A source that has given up (readyState CLOSED) is made anew with the last id.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [library, url, folder] = process.argv.slice(2);
const load = createRequire(`${folder}/`);
const PAUSE_MS = 1000; // as the server's `retry:`

console.error = () => {}; // event-source-polyfill prints what it also reports
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const event = (data, name) => say({ data, name: name || "message", at: Date.now() / 1000 });

function from(lastId) {
  return lastId ? `${url}?last_event_id=${lastId}` : url;
}

function follow(EventSource) {
  let lastId = "";
  const open = () => {
    const source = new EventSource(from(lastId));
    source.onmessage = (message) => {
      lastId = message.lastEventId || lastId;
      event(message.data, message.type);
    };
    source.addEventListener("status", (message) => event(message.data, message.type));
    source.onerror = (error) => {
      const closed = source.readyState === 2;
      say({ error: closed ? `gave up (${error.code ?? error.status ?? "?"})` : "reconnects" });
      if (closed) setTimeout(open, PAUSE_MS);
    };
  };
  open();
}

// It takes an event's id when it reads the `id:` line, before the event is complete. When the
// connection is cut in between, it resumes after an event that it never gave to its user.
// `mended` sends the id of the last event that the program has got instead.
async function fetchEventSource(name, mended) {
  const { fetchEventSource: run } = load(name);
  globalThis.window = globalThis; // it is written for browsers: of these two it uses the timers
  globalThis.document = { addEventListener() {}, removeEventListener() {} };
  class Retriable extends Error {}
  let lastId = "";
  const fromLast = (input, init) =>
    fetch(input, { ...init, headers: { ...init.headers, "last-event-id": lastId } });
  await run(url, {
    fetch: mended ? fromLast : fetch,
    openWhenHidden: true,
    async onopen(response) {
      if (!response.ok) throw new Retriable(`${response.status}`);
    },
    onmessage(message) {
      lastId = message.id || lastId;
      event(message.data, message.event);
    },
    onclose() {
      throw new Retriable("the stream's end");
    },
    onerror(error) {
      say({ error: error instanceof Retriable ? error.message : error.name });
    },
  });
}

const LIBRARIES = {
  eventsource: ["eventsource", (name) => follow(load(name).EventSource)],
  "event-source-polyfill": ["event-source-polyfill", (name) => follow(load(name).EventSourcePolyfill)],
  "fetch-event-source": ["@microsoft/fetch-event-source", (name) => fetchEventSource(name, true)],
  "fetch-event-source-readme": ["@microsoft/fetch-event-source", (name) => fetchEventSource(name, false)],
};

process.on("uncaughtException", (error) => {
  say({ died: `${error}` });
  process.exit(0);
});
const [name, run] = LIBRARIES[library];
const about = `${folder}/node_modules/${name}/package.json`;
if (existsSync(about)) {
  say({ version: JSON.parse(readFileSync(about, "utf8")).version });
  await run(name);
} else {
  say({ missing: `npm install --prefix ${folder} ${name}` });
}
