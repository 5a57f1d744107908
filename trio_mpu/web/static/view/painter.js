/* The painter: gives each view its turn to paint.
 *
 * Rules
 *   1. An event only changes numbers in memory. What is seen changes in an animation frame, each view at most every
 *      `every_ms` of its own (FIGURES_MS by default), so that 1,000 samples a second cost the screen no more than ten.
 *      Between paintings no frame is asked for: an empty one costs too.
 *   2. Users who ask for less motion get two steps a second. */

const FIGURES_MS = 150; // digits that change faster can't be read
const CALM_MS = 500; // for users who prefer reduced motion

export class Painter {
  #turns;
  #before;
  #awake = false;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /** `before(now_ms)` is called at the beginning of each frame. */
  constructor(views, before) {
    this.#turns = views.map((view) => ({ view, last_ms: -Infinity, due: true }));
    this.#before = before;
  }

  /** Something changed: each view owes a painting. Calls between two frames are one call. */
  wake() {
    for (const turn of this.#turns) turn.due = true;
    this.#plan();
  }

  /** Asks for a frame when the first of the views that owe a painting has its turn. */
  #plan() {
    if (this.#awake) return;
    const turns_ms = this.#turns.filter(({ due }) => due).map((turn) => turn.last_ms + this.#pace_ms(turn));
    if (turns_ms.length === 0) return;
    this.#awake = true;
    const wait_ms = Math.min(...turns_ms) - performance.now();
    const ask = () => requestAnimationFrame((now_ms) => this.#frame(now_ms));
    if (wait_ms > 0) setTimeout(ask, wait_ms);
    else ask();
  }

  #frame(now_ms) {
    this.#before(now_ms);
    for (const turn of this.#turns) {
      if (!turn.due || now_ms - turn.last_ms < this.#pace_ms(turn)) continue;
      turn.due = false;
      turn.last_ms = now_ms;
      turn.view.paint(now_ms);
    }
    this.#awake = false;
    this.#plan(); // what came too early for its turn is painted in a later frame, also when no event follows
  }

  #pace_ms({ view }) {
    return this.#calm.matches ? CALM_MS : (view.every_ms ?? FIGURES_MS);
  }
}
