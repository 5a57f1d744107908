"""The statistics of the page against those of Python and NumPy."""

import json
import random
import shutil
import statistics
import subprocess
from pathlib import Path

import pytest

from tests.helpers.processes import ROOT

NODE = shutil.which("node")
np = pytest.importorskip("numpy", reason="numpy is not installed")

PROGRAM = """
import { Moments } from "./statistics.mjs";
const values = JSON.parse(await new Promise((done) => {
  let text = "";
  process.stdin.on("data", (part) => { text += part; }).on("end", () => done(text));
}));
const merged = new Moments();
for (let i = 0; i < values.length; i += 10) {
  const part = Moments.of(values.slice(i, i + 10));
  merged.merge(part.n, part.mean, part.deviation, part.least, part.greatest);
}
const told = ({ n, mean, deviation, rms, least, greatest }) => ({ n, mean, deviation, rms, least, greatest });
console.log(JSON.stringify([Moments.of(values), merged].map(told)));
"""


@pytest.mark.skipif(NODE is None, reason="there is no node on the path")
def test_statistics_are_those_of_python_and_numpy(tmp_path: Path) -> None:
    """Noise of 1 mg around 1 g, exactly and merged from parts of ten, as the stream has them."""
    rng = random.Random(3)
    values = [1 + rng.gauss(0, 0.001) for _ in range(5_003)]
    shutil.copy(ROOT / "trio_mpu/web/static/model/statistics.js", tmp_path / "statistics.mjs")
    program = tmp_path / "program.mjs"
    program.write_text(PROGRAM)
    done = subprocess.run(
        ["node", program], input=json.dumps(values), capture_output=True, text=True, check=True
    )
    for found in json.loads(done.stdout):
        assert found["n"] == len(values)
        assert (found["least"], found["greatest"]) == (min(values), max(values))
        assert found["mean"] == pytest.approx(statistics.fmean(values), rel=1e-14)
        assert found["deviation"] == pytest.approx(statistics.pstdev(values), rel=1e-12)
        assert found["deviation"] == pytest.approx(np.std(values), rel=1e-12)
        assert found["rms"] == pytest.approx(np.sqrt(np.mean(np.square(values))), rel=1e-14)
