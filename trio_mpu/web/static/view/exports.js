/* Export: the window on screen as a file, made here of what is shown, or by the server of every sample. */

import { AXES } from "../model/axes.js";
import { pointsOf, textOf } from "../model/shown.js";
import { curlOf, fileName, historyUrl, probe } from "../net/links.js";
import { make, show } from "./elements.js";

export const SETTINGS = { export: "shown.csv", from: 0, to: 0 }; // the window of a copied link, in Unix seconds

const CHOICES = {
  shown: ["Points shown", "csv ndjson json"],
  samples: ["Every sample", "csv ndjson json csv+attitude ndjson+attitude json+attitude klipper gcsv mcap"],
  marks: ["Marks", "csv ndjson json"],
  spectrum: ["Spectrum", "csv png"],
  plot: ["Plot of", "acceleration angular-rate temperature attitude"],
};
const POINTS = 1000; // as fine as a wide plot
const FORGET_MS = 60_000; // a browser has read the file by then, also if it asks where to save it
const byId = (id) => document.getElementById(id);
const tell = (text) => show("export-note", text);

export class ExportsView {
  #page;
  #window = {}; // in Unix seconds: one that stands keeps them, while the wall clock is trimmed by microseconds
  #select = byId("export-what");

  constructor(page) {
    this.#page = page;
    for (const [what, [label, kinds]] of Object.entries(CHOICES)) {
      this.#select.append(...kinds.split(" ").map((kind) => new Option(`${label} ${kind.replace("+", " with ")}`, `${what}.${kind}`)));
    }
    const choose = () => {
      this.#select.value = page.settings.get("export");
      if (!this.#select.value) this.#select.value = SETTINGS.export;
    };
    page.settings.on("export", choose);
    choose();
    this.#select.onchange = () => page.settings.set("export", this.#select.value);
    this.#on("save", (chosen) => this.#save(chosen));
    this.#on("curl", ({ url, name }) => copy(curlOf(url, name)));
    this.#on("link", ({ from_s, to_s }) => {
      const window = page.range.live ? "" : `&from=${from_s.toFixed(6)}&to=${to_s.toFixed(6)}`;
      copy(`${location.href.split("#")[0]}#${page.settings.text}${window}`);
    });
  }

  paint() {
    byId("export-curl").disabled = !this.#select.value.startsWith("samples");
    const { settings, range, series, timeline } = this.#page;
    const [from_s, to_s] = ["from", "to"].map((name) => timeline.t_s(settings.get(name)));
    if (!(from_s < to_s) || Number.isNaN(series.newest_s)) return;
    range.show(from_s, to_s);
    for (const name of ["from", "to"]) settings.set(name, 0); // a reload goes on with the present
    this.#page.wake();
  }

  #on(button, act) {
    byId(`export-${button}`).onclick = async () => {
      try {
        if (Number.isNaN(this.#page.series.newest_s)) throw new Error("There is nothing to save yet.");
        await act(this.#chosen);
      } catch (error) {
        tell(error.message);
      }
    };
  }

  /** What is chosen, of the window as it is now in Unix seconds. */
  get #chosen() {
    const { range, timeline } = this.#page;
    const [what, kind] = this.#select.value.split(".");
    const [format, attitude] = kind.split("+");
    if (range.version !== this.#window.version) {
      this.#window = { version: range.version, from_s: timeline.wall_s(range.from_s), to_s: timeline.wall_s(range.to_s) };
    }
    const { from_s, to_s } = this.#window;
    const suffix = { klipper: "klipper.csv" }[format] ?? (what === "plot" ? `${format}.png` : format);
    const url = historyUrl(document.baseURI, { format, from_s, to_s, attitude });
    return { what, format, from_s, to_s, url, name: fileName(from_s, to_s - from_s, what, suffix) };
  }

  async #save(chosen) {
    let { url, name } = chosen;
    let leftOut = 0;
    if (chosen.what === "samples") {
      tell("Asking the server…");
      const answer = await probe(url);
      if (answer.reason) throw new Error(`Not saved: ${answer.reason}.`);
      ({ leftOut } = answer);
    } else {
      url = URL.createObjectURL(await this.#blob(chosen));
      setTimeout(() => URL.revokeObjectURL(url), FORGET_MS);
    }
    tell(leftOut > 0 ? `${leftOut.toLocaleString("en")} samples before the newest gap are left out: this format has no gaps.` : "");
    make("a", { href: url, download: name }).click();
  }

  #blob({ what, format, from_s, to_s }) {
    const { plots, spectrum } = this.#page.views;
    if (what === "plot") return plots.plotPng(format);
    if (what === "spectrum" && !spectrum.spectrumCsv()) throw new Error("Open the spectrum first.");
    if (format === "png") return new Promise((done) => spectrum.canvas.toBlob(done));
    if (what === "spectrum") return new Blob([spectrum.spectrumCsv()]);
    const points = what === "shown" ? pointsOf(this.#page, AXES, POINTS) : [];
    const marks = this.#page.marks.all.filter(({ wall_s }) => wall_s >= from_s && wall_s <= to_s);
    if (points.length + marks.length === 0) throw new Error("There is nothing of that in this window.");
    return new Blob([textOf(format, points, marks)]);
  }
}

/** Without TLS a page has no clipboard: the text is selected, and copied as by hand. */
function copy(text) {
  const field = byId("export-text");
  field.hidden = false;
  field.value = text;
  field.select();
  tell(document.execCommand("copy") ? "Copied." : "Selected: copy it with Ctrl+C.");
}
