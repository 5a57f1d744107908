/* The page: stream → ledger, readings, traces → what is seen.
 *
 * Rules
 *   1. An event only changes numbers in memory. What is seen changes in an animation frame, traces at most every
 *      TRACES_MS and figures every FIGURES_MS, so that 1,000 samples a second cost the screen no more than ten. Between
 *      paintings no frame is asked for: an empty one costs too.
 *   2. Whoever asks for less motion gets two steps a second and no running paper.
 *   3. The present first. A page that opens, or that comes back after more than RESUME_S, begins with the newest sample,
 *      and fills its charts from /history. What it skipped that way is not lost, and the accounts say so.
 */

import { paintAccounts } from "./accounts.js";
import { WINDOW_S } from "./columns.js";
import { paintConnection } from "./connection.js";
import { Ledger } from "./ledger.js";
import { Past, pause_s, readPast } from "./past.js";
import { Rate } from "./rate.js";
import { AXES, Readings } from "./readings.js";
import { show } from "./show.js";
import { LISTEN_MS, Silence } from "./silence.js";
import { Stream } from "./stream.js";
import { Trace } from "./trace.js";

const TRACES_MS = 45; // some 20 frames a second: the paper moves by 2 or 3 pixels in each
const FIGURES_MS = 150; // digits that change faster can't be read
const CALM_MS = 500; // both, for whoever prefers reduced motion
const TICK_MS = 500; // for what changes without an event: the rate falling to 0, the next attempt coming closer
const RESUME_S = WINDOW_S / 2; // what was missed for no longer is taken up by id: it is all within the charts
const PAST_MS = 5000; // arbitrary; without their past the charts go on

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
let nextBy_s = Infinity; // how much later the next one may be without lifting the pen
let begins = false; // the next sample is the first one after a beginning with the present
let heard_ms = 0; // when the server was heard last, by Date.now(): a computer that slept counts too
let slept = false; // this tab was hidden since
let filling = null; // the AbortController of the past being fetched, or null

/** The id to resume after; null to begin with the present. */
function cursor() {
  const away_s = (Date.now() - heard_ms) / 1000;
  const resumes = ledger.lastId !== null && away_s <= RESUME_S && !begins;
  if (!resumes) {
    begins = true;
    ledger.skip(slept ? "slept" : "away", away_s);
  }
  return resumes ? ledger.lastId : null;
}

function takeSample(event) {
  const now_ms = performance.now();
  const verdict = ledger.take(event);
  if (verdict === "repeat") {
    if (begins) takeStatus(event); // nothing was measured meanwhile
    begins = false;
    return;
  }

  // The traces of one source are not the past of another; least of all a simulated one's of a real one's.
  if (begins || (newest !== null && newest.source !== event.source)) clearTraces();
  const t_s = event.t_ns / 1e9;
  const broken = verdict === "after gap" || t_s - newest_t_s > nextBy_s;
  for (const { key, trace } of traces) trace.add(t_s, event.sample[key], broken);

  rate.note(t_s, now_ms);
  newest_t_s = t_s;
  nextBy_s = pause_s(rate.hz(now_ms));
  slept = false;
  takeStatus(event);
  if (begins) void fill(event);
  begins = false;
}

function clearTraces() {
  filling?.abort();
  filling = null;
  newest_t_s = NaN;
  for (const { trace } of traces) trace.clear();
}

/** Fills the charts with what was before `first`. Meanwhile they keep their picture. */
async function fill(first) {
  const cut = (filling = new AbortController());
  const limit = setTimeout(() => cut.abort(), PAST_MS);
  let past = null;
  for (let attempt = 0; attempt < 2 && cut === filling && !past?.joined; attempt += 1) {
    // Twice, because another of the server's workers may answer, who has not read the first sample yet.
    past = new Past(AXES.map(({ key }) => key), first.id);
    await readPast(past, cut.signal).catch(() => {}); // what came of it is shown
  }
  clearTimeout(limit);
  if (cut !== filling) return; // another beginning came first
  filling = null;
  if (past.oldest !== null) {
    traces.forEach(({ trace }, i) => trace.precede(past.columns[i], past.joined));
    if (past.joined) ledger.found(past.oldest);
  }
  wake();
}

function takeStatus(event) {
  newest = event;
  heard();
  readings.note(event, performance.now());
  if (connection.status !== event.status) setConnection({ status: event.status, reason: "" });
  wake();
}

function heard() {
  heard_ms = Date.now();
}

function setConnection(change) {
  Object.assign(connection, change);
  paintConnection(connection, Date.now());
}

const silence = new Silence({
  isNew: (event) => ledger.isNew(event),
  onWaiting: (reason) => setConnection({ status: "waiting", reason }),
  onStatus: takeStatus,
  onUnanswered: () => setConnection({ status: "unanswered", reason: "" }),
  onDead: (reason) => stream.reopen(reason),
});

const stream = new Stream({
  cursor,
  onSample: takeSample,
  onStatus: takeStatus,
  onHeartbeat: () => {
    heard();
    silence.broken(performance.now());
  },
  // A new link knows nothing yet: a status from before would pass old news off as new.
  onLink: (link, reason, retryAt) => {
    silence.broken(performance.now());
    slept ||= link === "paused" && ledger.lastId !== null;
    setConnection({ link, status: null, reason, retryAt });
  },
});

const painters = [
  { every_ms: TRACES_MS, last_ms: -Infinity, due: false, paint: paintTraces },
  { every_ms: FIGURES_MS, last_ms: -Infinity, due: false, paint: paintFigures },
];
let awake = false;

function paintTraces() {
  if (filling === null) traces.forEach(({ trace }) => trace.draw());
}

function paintFigures(now_ms) {
  const flows = connection.link === "open" && connection.status === "ok";
  const hz = flows ? rate.hz(now_ms) : 0;
  if (newest !== null) readings.paint(newest, now_ms, hz);
  paintAccounts(ledger, hz);
}

/** Something changed: each painter owes a painting. Calls between two frames are one call. */
function wake() {
  for (const painter of painters) painter.due = true;
  plan();
}

/** Asks for a frame when the first of the painters that owe one has its turn. */
function plan() {
  if (awake) return;
  const turns_ms = painters.filter(({ due }) => due).map((painter) => painter.last_ms + pace(painter));
  if (turns_ms.length === 0) return;
  awake = true;
  const wait_ms = Math.min(...turns_ms) - performance.now();
  if (wait_ms > 0) setTimeout(requestAnimationFrame, wait_ms, frame);
  else requestAnimationFrame(frame);
}

function frame(now_ms) {
  for (const painter of painters) {
    if (!painter.due || now_ms - painter.last_ms < pace(painter)) continue;
    painter.paint(now_ms);
    painter.last_ms = now_ms;
    painter.due = false;
  }
  awake = false;
  plan(); // what came too early for its turn is painted in a later frame, also when no event follows
}

function pace({ every_ms }) {
  return calm.matches ? CALM_MS : every_ms;
}

function restyle() {
  traces.forEach(({ trace }) => {
    trace.restyle();
    trace.draw(); // immediately: a canvas that was resized is blank
  });
}

new ResizeObserver(restyle).observe(document.querySelector("main"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
setInterval(() => {
  paintConnection(connection, Date.now());
  wake();
}, TICK_MS);
setInterval(() => {
  if (connection.link === "open") void silence.listen(performance.now());
}, LISTEN_MS);

show("curl", `curl -N ${new URL("events", document.baseURI)}`);
stream.start();
