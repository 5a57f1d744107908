/* Latency: how old a sample is when the page paints it, by the board's clock.
 *
 * Two computers' clocks differ by more than what is measured here. So, as NTP does (RFC 5905, section 10), each answer of
 * the server that carries its clock is taken to have been written halfway between question and answer: then the error is
 * at most half of the round trip. Of the last exchanges the one with the least error counts. It is the monotonic clock
 * that is compared, so it does not matter what time either computer believes it is. */

const EXCHANGES = 8; // as many as NTP keeps; at one every 5 s they span 40 s
const DRIFT = 5e-5; // by which quartz clocks may go differently: 50 ppm is a bad pair
const PAINTED = 31; // latencies of which the median is shown: an odd number has one
const MS = 1000;

export class Latency {
  #exchanges = []; // { at_ms, ahead_s, error_s }, the newest last
  #painted_s = [];

  /** The server's clock was `server_s` between `sent_ms` and `received_ms` of the page's. */
  exchange(sent_ms, received_ms, server_s) {
    const at_ms = (sent_ms + received_ms) / 2;
    const exchange = { at_ms, ahead_s: server_s - at_ms / MS, error_s: (received_ms - sent_ms) / 2 / MS };
    const best = this.#best(at_ms);
    // Further apart than both errors allow: a clock stood still (a computer slept), or began anew.
    if (best && Math.abs(exchange.ahead_s - best.ahead_s) > exchange.error_s + best.error_s) {
      this.#exchanges = [];
      this.#painted_s = [];
    }
    this.#exchanges.push(exchange);
    if (this.#exchanges.length > EXCHANGES) this.#exchanges.shift();
  }

  /** The sample taken at `t_s` was painted at `now_ms`. */
  painted(t_s, now_ms) {
    if (this.#exchanges.length === 0) return;
    this.#painted_s.push(this.age_s(t_s, now_ms));
    if (this.#painted_s.length > PAINTED) this.#painted_s.shift();
  }

  /** { latency_s, error_s, exchanges } or null: the median of the last ones painted, and how wrong it may be. */
  estimate(now_ms) {
    const best = this.#best(now_ms);
    if (best === null || this.#painted_s.length === 0) return null;
    const latency_s = [...this.#painted_s].sort((a, b) => a - b)[this.#painted_s.length >> 1];
    return { latency_s, error_s: best.error_s, exchanges: this.#exchanges.length };
  }

  /** How old the sample taken at `t_s` is; NaN while the clocks are not compared. */
  age_s(t_s, now_ms) {
    return now_ms / MS + (this.#best(now_ms)?.ahead_s ?? NaN) - t_s;
  }

  /** The exchange that says most at `now_ms`, its error grown by what the clocks may have drifted since. */
  #best(now_ms) {
    const aged = this.#exchanges.map((one) => ({ ...one, error_s: one.error_s + (DRIFT * (now_ms - one.at_ms)) / MS }));
    return aged.sort((a, b) => a.error_s - b.error_s)[0] ?? null;
  }
}
