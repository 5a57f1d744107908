/* What is shown, as text: points of the curves and marks, with the names of the server's history. */

const FLAGS = ["gap", "clipped", "stale_repeat", "clock_step"]; // by bit, as page.series has them
const PARTS = ["min", "mean", "max"];

/** The points of the window: [{ time, n, flags, min, mean, max }], time in Unix seconds. */
export function pointsOf({ series, range, timeline }, axes, count) {
  const points = new Map();
  for (const axis of axes) {
    series.each(axis, range.from_s, range.to_s, count, (t_s, _to_s, _first, least, greatest, _last, mean, n, bits) => {
      if (Number.isNaN(mean)) return;
      if (!points.has(t_s)) {
        const flags = FLAGS.filter((_, bit) => bits & (1 << bit));
        points.set(t_s, { time: micros(timeline.wall_s(t_s)), n, flags, min: {}, mean: {}, max: {} });
      }
      // Seven significant digits: as many as the stream has.
      [least, mean, greatest].forEach((value, i) => (points.get(t_s)[PARTS[i]][axis] = Number(value.toPrecision(7))));
    });
  }
  return [...points.values()].sort(byTime);
}

/** Points and marks, one of which may be none. In CSV a mark stands in the line of the point that it follows. */
export function textOf(format, points, marks) {
  const notes = marks.map(({ wall_s, text }) => ({ time: micros(wall_s), mark: text }));
  if (format === "json") return lines([JSON.stringify({ points, marks: notes })]);
  if (format === "ndjson") return lines([...points, ...notes].sort(byTime).map((each) => JSON.stringify(each)));
  if (points.length === 0) return lines(["time,mark", ...notes.map(({ time, mark }) => `${time.toFixed(6)},${quoted(mark)}`)]);
  const axes = [...new Set(points.flatMap(({ mean }) => Object.keys(mean)))];
  const columns = axes.flatMap((axis) => PARTS.map((part) => [part, axis]));
  const noted = points.map(() => []);
  for (const { time, mark } of notes) noted[Math.max(0, points.findLastIndex((point) => point.time <= time))].push(mark);
  const rows = points.map((point, i) => {
    const values = columns.map(([part, axis]) => point[part][axis]); // what is not there stays empty
    return [point.time.toFixed(6), point.n, ...values, point.flags.join("+"), quoted(noted[i].join("; "))];
  });
  const names = ["time", "n", ...columns.map((column) => column.join("_")), "flags", "mark"];
  return lines([names, ...rows].map((cells) => cells.join(",")));
}

function lines(texts) {
  return texts.map((text) => `${text}\n`).join("");
}

function quoted(text) {
  return text && `"${text.replaceAll('"', '""')}"`;
}

function byTime(a, b) {
  return a.time - b.time;
}

function micros(s) {
  return Number(s.toFixed(6));
}
