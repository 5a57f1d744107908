/* The timeline: the board's monotonic clock, in seconds (t_ns / 1e9), which all of the page counts by; and the wall clock
 * to it as the board has it now. A clock that was set late or wrong moves no sample and tears no curve: only the times
 * written beside them change. */

export class Timeline {
  #offset_s = NaN;

  /** Takes the two clocks of the newest sample. */
  note(event) {
    this.#offset_s = event.time - event.t_ns / 1e9;
  }

  /** Unix seconds, by the board's clock as it is set now; NaN before the first sample. */
  wall_s(t_s) {
    return t_s + this.#offset_s;
  }

  t_s(wall_s) {
    return wall_s - this.#offset_s;
  }
}
