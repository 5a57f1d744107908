/* Windows: how many others of this browser hold a stream. A browser opens six connections to a server, over all its
 * windows; while streams hold them every other request waits, which looks like a server that does not answer. */

const ANSWER_MS = 300; // arbitrary; they all run on one computer, which may be busy

export class Windows {
  #channel = null;
  #isOpen;
  #others = 0;

  /** `isOpen()`: whether this window holds a stream. */
  constructor(isOpen) {
    this.#isOpen = isOpen;
  }

  /** Whether to answer others: not while paused, since a page that listens can't be kept for the way back. */
  listen(wanted) {
    if (wanted === (this.#channel !== null)) return;
    this.#channel?.close();
    this.#channel = wanted ? new BroadcastChannel("trio-mpu") : null;
    if (!wanted) return;
    this.#channel.onmessage = ({ data }) => {
      if (data === "here") this.#others += 1;
      else if (this.#isOpen()) this.#channel.postMessage("here");
    };
  }

  async count(answer_ms = ANSWER_MS) {
    this.#others = 0;
    this.#channel?.postMessage("who?");
    await new Promise((done) => setTimeout(done, answer_ms));
    return this.#others;
  }
}
