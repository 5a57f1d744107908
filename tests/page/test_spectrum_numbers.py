"""The page's spectrum in numbers: against SciPy's, and against the method of Klipper's scripts."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import scipy.signal

from tests.helpers.klipper import MM_S2, Numbers, klipper
from tests.helpers.processes import ROOT

STATIC: Final = "trio_mpu/web/static"
NODE: Final = shutil.which("node")
CLOSE: Final = 1e-6  # relative
FS_HZ: Final = 1000.0
PERIODIC: Final = {
    "hann": "hann",
    "hamming": "hamming",
    "blackman": "blackman",
    "flattop": "flattop",
    "rectangular": "boxcar",
}


pytestmark = pytest.mark.skipif(NODE is None, reason="there is no node on the path")


def noise(n: int, seed: int) -> list[Numbers]:
    """Three axes of noise around gravity with a tone, as the page keeps samples: of 32 bits."""
    random = np.random.default_rng(seed)
    tone = 0.3 * np.sin(2 * np.pi * 57.3 * np.arange(n) / FS_HZ)
    axes = random.normal(0, 0.01, (3, n)) + np.array([[0.02], [-0.1], [1.0]]) + tone
    return [axis.astype(np.float32).astype(np.float64) for axis in axes]


def case(t_s: Numbers, axes: list[Numbers], **options: object) -> dict[str, Any]:
    x, y, z = (axis.tolist() for axis in axes)
    return {"t_s": t_s.tolist(), "x": x, "y": y, "z": z, "options": options}


def page_of(tmp_path: Path, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the page's own module makes of the cases."""
    shutil.copytree(ROOT / STATIC, tmp_path / STATIC)
    shutil.copytree(Path(__file__).parent, tmp_path / "tests/page")
    (tmp_path / "package.json").write_text('{"type": "module"}\n')
    done = subprocess.run(
        ["node", "tests/page/welch.mjs"],
        cwd=tmp_path,
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def deviation(found: object, wanted: Numbers) -> float:
    """The largest relative one; of what is nothing but rounding beside the rest, the part of the rest."""
    floor = 1e-12 * float(np.max(wanted))
    return float(np.max(np.abs(np.asarray(found) - wanted) / np.maximum(wanted, floor)))


def scipy_window(name: str, length: int) -> Numbers:
    if name == "kaiser":
        return np.kaiser(length, 6.0)
    window: Numbers = scipy.signal.get_window(PERIODIC[name], length)
    return window


def test_each_window_length_and_overlap_gives_the_density_of_scipy(tmp_path: Path) -> None:
    """To a millionth of each bin, all axes, and their sum."""
    n = 5000
    t_s, axes = np.arange(n) / FS_HZ + 1234.5, noise(n, 1)
    kinds = [
        (window, length, overlap)
        for window in [*PERIODIC, "kaiser"]
        for length in (64, 512, 4096)
        for overlap in (0, 50, 75)
    ]
    answers = page_of(
        tmp_path,
        [case(t_s, axes, window=name, length=m, overlap=part) for name, m, part in kinds],
    )
    for (name, length, overlap), answer in zip(kinds, answers, strict=True):
        freqs, wanted = scipy.signal.welch(
            np.array(axes),
            (n - 1) / (t_s[-1] - t_s[0]),
            window=scipy_window(name, length),
            nperseg=length,
            noverlap=length * overlap // 100,
            detrend="constant",
        )
        for found, axis in zip(answer["psd"], [*wanted, wanted.sum(axis=0)], strict=True):
            assert deviation(found, axis) < CLOSE, (name, length, overlap)
        assert answer["bin_hz"] == pytest.approx(freqs[1], rel=1e-9)
        assert answer["segments"] == (n - length) // (length - length * overlap // 100) + 1
        window = scipy_window(name, length)
        enbw_hz = answer["fs_hz"] * np.sum(window**2) / np.sum(window) ** 2
        assert answer["enbw_hz"] == pytest.approx(enbw_hz, rel=1e-9)


def test_the_preset_for_printers_gives_the_numbers_of_klippers_method(tmp_path: Path) -> None:
    """At several rates, true ones and odd ones, and with times that jitter: frequencies and densities."""
    kinds = [(800.0, 0.0), (1000.0, 0.0), (1024.6, 0.0), (1027.0, 0.0), (3200.0, 0.0), (100.0, 0.3)]
    random = np.random.default_rng(2)
    cases = []
    for fs_hz, jitter in kinds:
        n = int(5 * fs_hz) + 37
        t_s = 77.0 + (np.arange(n) + random.uniform(-jitter, jitter, n)) / fs_hz
        cases.append((t_s, noise(n, 3)))
    answers = page_of(tmp_path, [case(t_s, axes, printer=True) for t_s, axes in cases])
    for (t_s, axes), answer in zip(cases, answers, strict=True):
        freqs, densities = klipper(t_s, axes)
        assert answer["gaps"] == 0
        assert len(freqs) == len(answer["psd"][0])
        assert answer["bin_hz"] == pytest.approx(freqs[1], rel=1e-12)
        for found, wanted in zip(answer["psd"], densities, strict=True):
            assert deviation(np.array(found) * MM_S2**2, wanted) < CLOSE
