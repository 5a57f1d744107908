/* The page: stream → ledger, readings, traces → what is seen.
 *
 * Rules
 *   1. An event only changes numbers in memory. What is seen changes in an animation frame, traces at most every
 *      TRACES_MS and figures every FIGURES_MS, so that 1,000 samples a second cost the screen no more than ten.
 *   2. Whoever asks for less motion gets two steps a second and no running paper.
 */

import { paintAccounts } from "./accounts.js";
import { paintConnection } from "./connection.js";
import { Ledger } from "./ledger.js";
import { Rate } from "./rate.js";
import { AXES, Readings } from "./readings.js";
import { show } from "./show.js";
import { Silence } from "./silence.js";
import { Stream } from "./stream.js";
import { Trace } from "./trace.js";

const TRACES_MS = 30; // 30 frames a second: smooth, at half the cost of 60
const FIGURES_MS = 100; // digits that change faster can't be read
const CALM_MS = 500; // both, for whoever prefers reduced motion
const TICK_MS = 500; // for what changes without an event: the rate falling to 0, the next attempt coming closer
const PAUSE_S = 1; // as on the server: no sample for 1 s and 5 periods is a pause, not a slow rate
const PAUSE_PERIODS = 5;
const SLOWEST_HZ = 1; // a producer samples at 1 Hz to 1,000 Hz

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const ledger = new Ledger();
const rate = new Rate();
const readings = new Readings();
const traces = AXES.map(({ key, span, scaleDecimals }) => {
  const canvas = document.getElementById(`trace-${key}`);
  return { key, trace: new Trace(canvas, { span, decimals: scaleDecimals }) };
});

const connection = { link: "connecting", status: null, reason: "", retryAt: null };
let newest = null; // the newest object from the server, by whichever way it came
let newest_t_s = NaN; // when the newest sample in the traces was taken
let pause_s = Infinity; // how much later the next one may be without lifting the pen

function takeSample(event) {
  const now_ms = performance.now();
  silence.broken(now_ms);
  const verdict = ledger.take(event);
  if (verdict === "repeat") return;

  // The traces of one source are not the past of another; least of all a simulated one's of a real one's.
  if (newest !== null && newest.source !== event.source) traces.forEach(({ trace }) => trace.clear());
  const t_s = event.t_ns / 1e9;
  const broken = verdict === "after gap" || t_s - newest_t_s > pause_s;
  for (const { key, trace } of traces) trace.add(t_s, event.sample[key], broken);

  rate.note(t_s, now_ms);
  newest_t_s = t_s;
  pause_s = Math.max(PAUSE_S, PAUSE_PERIODS / (rate.hz(now_ms) ?? SLOWEST_HZ));
  takeStatus(event);
}

function takeStatus(event) {
  newest = event;
  readings.note(event, performance.now());
  if (connection.status !== event.status) setConnection({ status: event.status, reason: "" });
  wake();
}

function setConnection(change) {
  Object.assign(connection, change);
  paintConnection(connection, Date.now());
}

const silence = new Silence({
  isNew: (event) => ledger.isNew(event),
  onWaiting: (reason) => setConnection({ status: "waiting", reason }),
  onStatus: takeStatus,
  onDead: (reason) => stream.reopen(reason),
});

const stream = new Stream({
  cursor: () => ledger.lastId,
  onSample: takeSample,
  onStatus: (event) => {
    silence.broken(performance.now());
    takeStatus(event);
  },
  // A new link knows nothing yet: a status from before would pass old news off as new.
  onLink: (link, reason, retryAt) => {
    silence.broken(performance.now());
    setConnection({ link, status: null, reason, retryAt });
  },
});

const painters = [
  { every_ms: TRACES_MS, last_ms: -Infinity, due: false, paint: () => traces.forEach(({ trace }) => trace.draw()) },
  { every_ms: FIGURES_MS, last_ms: -Infinity, due: false, paint: paintFigures },
];
let awake = false;

function paintFigures(now_ms) {
  if (newest !== null) readings.paint(newest, now_ms);
  const flows = connection.link === "open" && connection.status === "ok";
  paintAccounts(ledger, flows ? rate.hz(now_ms) : 0);
}

/** Something changed: each painter owes a painting. Calls between two frames are one call. */
function wake() {
  for (const painter of painters) painter.due = true;
  if (!awake) requestAnimationFrame(frame);
  awake = true;
}

function frame(now_ms) {
  for (const painter of painters) {
    if (!painter.due || now_ms - painter.last_ms < (calm.matches ? CALM_MS : painter.every_ms)) continue;
    painter.paint(now_ms);
    painter.last_ms = now_ms;
    painter.due = false;
  }
  // What came too early for its turn is painted in a later frame, also when no event follows.
  awake = painters.some((painter) => painter.due);
  if (awake) requestAnimationFrame(frame);
}

function restyle() {
  traces.forEach(({ trace }) => {
    trace.restyle();
    trace.draw(); // at once: a canvas that was resized is blank
  });
}

new ResizeObserver(restyle).observe(document.querySelector("main"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
setInterval(() => {
  if (connection.link === "open") void silence.listen(performance.now());
  paintConnection(connection, Date.now());
  wake();
}, TICK_MS);

show("curl", `curl -N ${new URL("events", document.baseURI)}`);
stream.start();
