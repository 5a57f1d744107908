/* The device, and the way from it to here: what is measured how, how late it comes, and what was lost. */

import { duration } from "./accounts.js";
import { show } from "./elements.js";

const LOSSES = {
  device_lost: "did not come from the sensor",
  ticks_lost: "were missed because the producer was held up",
  backlog_lost: "were dropped because the ring could not be written",
  restart_lost: "were not taken while the producer was restarted",
  slow_lost: "were too old when slow clients wanted them",
  resume_lost: "were too old when clients came back for them",
  lapped_lost: "were missed because the server was held up",
};

/** What was lost, a line each: `server` has the counters of /json?verbose=1, `page` is the ledger of this page. */
export function losses(server, page) {
  const lines = Object.entries(LOSSES).filter(([name]) => server?.[name] > 0)
    .map(([name, what]) => `${server[name].toLocaleString("en")} readings ${what}`);
  const n = page.lost > 0 || !page.lostIsAtLeast ? page.lost.toLocaleString("en") : "an unknown number of";
  const least = page.lostIsAtLeast && page.lost > 0 ? "at least " : "";
  if (page.gaps > 0) lines.push(`${least}${n} readings missing in the stream of this page`);
  return lines.join("\n") || "nothing lost so far";
}

/** Which calibration is applied, or how to get one. */
export function calibration(id, { source, flags }) {
  if (id) return `${id.split(" ")[1] ?? id}, made on ${id.split(" ")[0]}`;
  if (!flags.includes("uncalibrated")) return "none, and none needed: no sensor is read";
  return `none: factory values. To make one, stop the producer, and with the sensor at rest: trio-mpu calibrate --device ${source}`;
}

/** "about 12 ms ± 4 ms", and how that was found out. */
export function latencyWords(estimate) {
  if (estimate === null) return "not known yet";
  const { latency_s, error_s, exchanges } = estimate;
  return `about ${Math.round(latency_s * 1000)} ms \u00b1 ${Math.ceil(error_s * 1000)} ms (the clocks compared by the quickest of ${exchanges} requests)`;
}

export class DeviceView {
  every_ms = 500;
  #page;

  constructor(page) {
    this.#page = page;
  }

  paint(now_ms) {
    const { state, ledger, latency } = this.#page;
    const { newest, device, period_s, hz } = state;
    const asked = period_s > 0 ? `${+(1 / period_s).toPrecision(4)} Hz asked, ` : "";
    show("rates", `${asked}${hz === null ? "\u2013" : hz.toFixed(1)} Hz received`);
    show("latency", latencyWords(latency.estimate(now_ms)));
    show("losses", losses(state.ledger, ledger));
    if (newest === null) return;
    const age_s = latency.age_s(newest.t_ns / 1e9, now_ms);
    show("age", Number.isNaN(age_s) ? "not known yet" : `${age_s < 9.95 ? `${age_s.toFixed(1)} s` : duration(age_s)} old`);
    const kind = ["simulated", "replayed"].filter((flag) => newest.flags.includes(flag)).join(", ").toUpperCase();
    show("measured-by", `${newest.source}${kind && `, ${kind}`}`);
    show("chip", device?.chip || "not known");
    show("calibration", device ? calibration(device.calibration, newest) : "not known yet");
  }
}
