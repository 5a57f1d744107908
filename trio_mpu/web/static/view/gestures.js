/* Gestures: wheel, drag, pinch and keys on a plot → the window on screen and the cursors.
 *
 * Rules
 *   1. What is under the pointer stays under it. Places are shares of the width, and times follow from the window as it
 *      is now, not as it was painted last.
 *   2. A plot does not trap the page: a wheel zooms only with Ctrl or ⌘ or in a plot that has the focus, and a finger that
 *      goes up or down scrolls (touch-action: pan-y). */

const SLOP_PX = 5; // a press that moved no farther is a click
const DOUBLE_MS = 350; // two within are a double click
const WHEEL_PX = [1, 16, 400]; // of a wheel that counts pixels, lines, pages
const WHEEL_ZOOM = 0.0018; // a notch of 100 px zooms by a fifth
const KEY_ZOOM = 1.5;
const KEY_PAN = 0.1; // of the window
const CLOSEST = 0.02; // fingers, as a share of the width: closer ones tell no scale

/** By how much a wheel makes the window longer. */
export function wheelFactor(delta, mode) {
  return Math.exp(Math.max(-400, Math.min(400, delta * WHEEL_PX[mode])) * WHEEL_ZOOM);
}

/** The window [from_s, to_s] that has the times a_s and b_s at the shares a and b of its width; null when there is none. */
export function pinched(a_s, b_s, a, b) {
  const span_s = (b_s - a_s) / (b - a);
  return Math.abs(b - a) >= CLOSEST && span_s > 0 ? [a_s - a * span_s, a_s + (1 - a) * span_s] : null;
}

/** What a key does, as [name, number]; undefined: it is the browser's. */
export function keyAction({ key, altKey, ctrlKey, metaKey, shiftKey }) {
  if (ctrlKey || metaKey) return undefined;
  const side = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (side) return altKey ? ["step", side * (shiftKey ? 10 : 1)] : ["pan", side * KEY_PAN * (shiftKey ? 5 : 1)];
  return {
    "[": ["step", -1], "]": ["step", 1], "{": ["step", -10], "}": ["step", 10],
    "+": ["zoom", 1 / KEY_ZOOM], "=": ["zoom", 1 / KEY_ZOOM], "-": ["zoom", KEY_ZOOM],
    Home: ["oldest"], End: ["live"], " ": ["toggle"], Enter: ["pin"], Escape: ["clear"],
  }[key];
}

export class Gestures {
  #canvas;
  #plot;
  #range;
  #act;
  #fingers = new Map(); // pointers that are down → { x, begin, t_s }
  #mode = ""; // press, pan, select or pinch
  #tapped_ms = -Infinity;

  /** `plot`: share(x) of a place in CSS pixels, inTimeAxis(y). `act` does the rest: point(share; NaN: nowhere),
   *  pin(t_s, isFinger), select(a_s, b_s, done), key(name, number). */
  constructor(canvas, plot, range, act) {
    this.#canvas = canvas;
    this.#plot = plot;
    this.#range = range;
    this.#act = act;
    const on = (name, call, options) => canvas.addEventListener(name, call.bind(this), options);
    on("wheel", this.#wheel, { passive: false });
    on("pointerdown", this.#press);
    on("pointermove", this.#move);
    on("pointerup", this.#release);
    on("pointercancel", this.#release);
    on("pointerleave", (event) => event.pointerType === "mouse" && act.point(NaN));
    on("keydown", (event) => {
      const action = keyAction(event);
      if (!action) return;
      event.preventDefault();
      act.key(...action);
    });
  }

  #time_s(x) {
    return this.#range.from_s + this.#plot.share(x) * this.#range.span_s;
  }

  #wheel(event) {
    const { deltaX, deltaY, deltaMode, shiftKey, offsetX } = event;
    const sideways = Math.abs(deltaX) > Math.abs(deltaY) ? deltaX : shiftKey ? deltaY : 0;
    const zooms = event.ctrlKey || event.metaKey || document.activeElement === this.#canvas;
    if (!sideways && !zooms) return;
    event.preventDefault();
    if (sideways) this.#range.pan(this.#time_s(sideways * WHEEL_PX[deltaMode]) - this.#time_s(0));
    else this.#range.zoom(wheelFactor(deltaY, deltaMode), this.#time_s(offsetX));
    this.#act.moved();
  }

  /** All fingers hold from now on the time that is under them. */
  #grasp() {
    for (const finger of this.#fingers.values()) finger.t_s = this.#time_s(finger.x);
  }

  #press(event) {
    if (event.button > 0) return;
    const { offsetX: x, offsetY: y, pointerId, pointerType, shiftKey } = event;
    this.#canvas.setPointerCapture(pointerId);
    this.#fingers.set(pointerId, { x, begin: x });
    this.#grasp();
    const selects = shiftKey || (pointerType === "mouse" && this.#plot.inTimeAxis(y));
    this.#mode = this.#fingers.size > 1 ? "pinch" : selects ? "select" : "press";
  }

  #move({ offsetX: x, pointerId }) {
    const finger = this.#fingers.get(pointerId);
    if (!finger) {
      this.#act.point(this.#plot.share(x));
      return;
    }
    finger.x = x;
    if (this.#mode === "press" && Math.abs(x - finger.begin) > SLOP_PX) this.#mode = "pan";
    if (this.#mode === "select") this.#act.select(finger.t_s, this.#time_s(x), false);
    if (this.#mode === "pan") this.#range.pan(finger.t_s - this.#time_s(x));
    if (this.#mode === "pinch") {
      const [a, b] = this.#fingers.values();
      const window = pinched(a.t_s, b.t_s, this.#plot.share(a.x), this.#plot.share(b.x));
      if (window) this.#range.show(...window);
    }
    this.#act.moved();
  }

  #release({ type, timeStamp, pointerId, pointerType }) {
    const finger = this.#fingers.get(pointerId);
    if (!finger) return;
    this.#fingers.delete(pointerId);
    const still = Math.abs(finger.x - finger.begin) <= SLOP_PX;
    const ended = type === "pointerup";
    if (this.#mode === "select") this.#act.select(finger.t_s, this.#time_s(finger.x), ended && !still);
    if (ended && still && (this.#mode === "press" || this.#mode === "select")) {
      const twice = timeStamp - this.#tapped_ms < DOUBLE_MS;
      this.#tapped_ms = twice ? -Infinity : timeStamp;
      if (twice) this.#act.key("live");
      else this.#act.pin(this.#time_s(finger.x), pointerType !== "mouse");
    }
    this.#mode = this.#fingers.size > 0 ? "pan" : ""; // one of two was lifted
    this.#grasp();
  }
}
