/* The page: stream → numbers in memory → views. This file only ties them together; it says what
 * is passed on to which of them, and in which order.
 *
 * net/ talks to the server, model/ keeps numbers, view/ shows them. A view has paint(now_ms), and may have
 * note(event, t_s, now_ms), wantsRaw and every_ms. What it is given, `page`, is put together below. */

import { Marks } from "./model/marks.js";
import { Follower } from "./model/follower.js";
import { Latency } from "./model/latency.js";
import { Ledger } from "./model/ledger.js";
import { Range } from "./model/range.js";
import { Rate } from "./model/rate.js";
import { RawSamples } from "./model/raw.js";
import { Series } from "./model/series.js";
import { Settings } from "./model/settings.js";
import { Timeline } from "./model/timeline.js";
import { ask } from "./net/answer.js";
import { Filler } from "./net/filler.js";
import { readSamples } from "./net/past.js";
import { LISTEN_MS, Silence } from "./net/silence.js";
import { Stream } from "./net/stream.js";
import { Windows } from "./net/windows.js";
import { AccountsView } from "./view/accounts.js";
import { BannerView } from "./view/banner.js";
import { BoardView, SETTINGS as BOARD } from "./view/board.js";
import { ConnectionView, stateOf } from "./view/connection.js";
import { ExportsView, SETTINGS as EXPORTS } from "./view/exports.js";
import { MarksView } from "./view/marks.js";
import { DeviceView } from "./view/device.js";
import { Painter } from "./view/painter.js";
import { PlotsView, SETTINGS as PLOTS } from "./view/plots.js";
import { ReadingsView } from "./view/readings.js";
import { show } from "./view/elements.js";
import { StatisticsView } from "./view/statistics.js";
import { SETTINGS as SPECTRUM, SpectrumView } from "./view/spectrum.js";
import { SETTINGS as WATERFALL, WaterfallView } from "./view/waterfall.js";

const MEANS_HZ = 50; // means with extremes, so often, are all that a screen can show…
const RAW_HZ = 60; // …and samples that come hardly more often are shown as they are
const RAW_SPAN_S = 2; // a window so short shows every sample
const TICK_MS = 500; // for what changes without an event: the rate falling to 0, the next attempt coming closer
const DEVICE_MS = 5000; // how often chip, calibration and ledger are asked for
const FIRST_MS = 700; // how long the first stream waits for them

const SETTINGS = { span: 10, ...PLOTS, ...BOARD, ...SPECTRUM, ...WATERFALL, ...EXPORTS };

const settings = new Settings(SETTINGS, location.hash.slice(1), () => history.replaceState(null, "", `#${settings.text}`));
addEventListener("hashchange", () => settings.take(location.hash.slice(1)));

const ledger = new Ledger();
const rate = new Rate();
const timeline = new Timeline();
const raw = new RawSamples();
const series = new Series(raw);
const range = new Range(settings.get("span"));
const latency = new Latency();
const marks = new Marks(() => localStorage);
const follower = new Follower({ ledger, series, timeline, rate });
const filler = new Filler({ series, timeline, range }, () => page.wake());

const page = {
  settings,
  timeline,
  series,
  raw,
  range,
  marks,
  ledger,
  latency,
  filler,
  /** Every sample from `from_s` to `to_s`: those at hand, or the server's. Rejects with the server's reason. */
  async samples(from_s, to_s, signal) {
    return raw.complete(from_s) ? raw.slice(from_s, to_s) : readSamples(timeline, { from_s, to_s }, signal);
  },
  state: {
    link: "connecting", // of the stream, see net/stream.js
    status: null, // of the samples, as the server calls it; null: not known yet
    reason: "",
    retryAt: null, // ms since the epoch
    refused: 0, // the status with which the server answered in place of a stream; 0: it did not
    windows: 0, // others of this browser that hold a stream
    newest: null, // the newest object from the server, by whichever way it came
    hz: null, // samples received per second; null: not known yet
    period_s: NaN, // the sensor's own
    device: null, // of /json?verbose=1
    ledger: null, // likewise
    ahead_s: NaN, // the board's wall clock before this computer's
    /** One of connecting, live, waiting, stale, stopped, unanswered, paused, offline. */
    get word() {
      return stateOf(this.link, this.status);
    },
  },
  wake() {
    painter.wake();
  },
};
const { state } = page;

page.views = {
  connection: new ConnectionView(page),
  readings: new ReadingsView(page),
  accounts: new AccountsView(page),
  plots: new PlotsView(page),
  statistics: new StatisticsView(page),
  marks: new MarksView(page),
  exports: new ExportsView(page),
  spectrum: new SpectrumView(page),
  waterfall: new WaterfallView(page),
  banner: new BannerView(page),
  board: new BoardView(page),
  device: new DeviceView(page),
};
const views = Object.values(page.views);
const noting = views.filter((view) => view.note);
const painter = new Painter(views, beforePainting);

/** The parameters of the stream: means while they will do. */
function form() {
  return asksMeans() ? { attitude: 1, rate: MEANS_HZ, stats: 1 } : { attitude: 1 };
}

function asksMeans() {
  const isSlow = state.period_s >= 1 / RAW_HZ;
  return !isSlow && !(range.span_s < RAW_SPAN_S) && !views.some((view) => view.wantsRaw);
}

let formed = ""; // what the stream was asked for
let painted_s = NaN; // the newest sample that was painted

function beforePainting(now_ms) {
  const flows = state.link === "open" && state.status === "ok";
  state.hz = flows ? rate.hz(now_ms) : 0;
  range.follow(series.newest_s, series.oldest_s);
  filler.look(now_ms);
  if (painted_s !== series.newest_s) latency.painted(series.newest_s, performance.now());
  painted_s = series.newest_s;
  const wanted = JSON.stringify(form());
  if (formed !== wanted && state.link === "open") stream.reform();
}

function takeSample(event) {
  const now_ms = performance.now();
  const t_s = follower.take(event, now_ms);
  // A repeat of the newest one: nothing was measured while the page was away.
  if (t_s === null && event.id !== ledger.lastId) return;
  if (t_s !== null) for (const view of noting) view.note(event, t_s, now_ms);
  takeStatus(event);
}

function takeStatus(event) {
  state.newest = event;
  follower.heard(Date.now());
  if (state.status !== event.status) setState({ status: event.status, reason: "" });
  page.wake();
}

function setState(change) {
  Object.assign(state, change);
  page.views.connection.paint();
}

const stream = new Stream({
  cursor: () => follower.cursor(Date.now()),
  form: () => {
    const parameters = form();
    formed = JSON.stringify(parameters);
    return parameters;
  },
  onSample: takeSample,
  onStatus: takeStatus,
  onHeartbeat: () => {
    follower.heard(Date.now());
    silence.broken(performance.now());
  },
  // A new link knows nothing yet: a status from before would pass old news off as new.
  onLink: (link, reason, retryAt, refused) => {
    silence.broken(performance.now());
    windows.listen(link !== "paused");
    if (link === "open") state.windows = 0;
    else if (link !== "paused" && retryAt === null) void windows.count().then((others) => (state.windows = others));
    follower.slept ||= link === "paused" && ledger.lastId !== null;
    setState({ link, status: null, reason, retryAt, refused });
  },
});

const windows = new Windows(() => state.link === "open");

const silence = new Silence({
  isNew: (object) => follower.isNew(object, asksMeans() ? 1 / MEANS_HZ : 0),
  onWaiting: (reason) => setState({ status: "waiting", reason }),
  onStatus: takeStatus,
  onUnanswered: () => setState({ status: "unanswered", reason: "" }),
  onDead: (reason) => stream.reopen(reason),
});

/** Asks what the stream does not say: chip, calibration, the sensor's period, the server's ledger. */
async function askDevice(patience_ms) {
  const sent_ms = performance.now();
  const { ok, body } = await ask(new URL("json?verbose=1", document.baseURI), patience_ms);
  if (!body?.device) return;
  latency.exchange(sent_ms, performance.now(), body.now - body.clock_offset);
  state.ahead_s = body.now - Date.now() / 1000;
  state.device = body.device;
  state.ledger = body.ledger;
  state.period_s = body.device.period_ns / 1e9 || NaN;
  if (ok) state.newest ??= body;
  page.wake();
}

settings.on("span", (span_s) => range.setSpan(span_s));
setInterval(() => {
  page.views.connection.paint();
  page.wake();
}, TICK_MS);
setInterval(() => {
  if (state.link === "open") void silence.listen(performance.now());
}, LISTEN_MS);
setInterval(() => {
  if (state.link === "open") void askDevice();
}, DEVICE_MS);

show("curl", `curl -N ${new URL("events", document.baseURI)}`);
await askDevice(FIRST_MS); // the sensor's rate decides in which form the stream is asked for
stream.start();
