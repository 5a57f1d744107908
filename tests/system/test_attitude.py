"""The attitude from a producer to all who read it: ring, stream, store and files."""

import csv
import io
import json
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import trio
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from tests.helpers.programs import PATIENCE_S, eventually, get
from tests.system.test_start_record import started, stop
from trio_mpu.ring import RingReader

CAPACITY: Final = 200  # 0.4 s: what is older comes from the store
OPTIONS: Final = ("--store=history.db", "--rate=500", f"--capacity={CAPACITY}")


def history(url: str, query: str) -> list[dict[str, Any]]:
    text = get(f"{url}/history?format=ndjson&{query}")[1]
    return [json.loads(row) for row in text.splitlines()]


def test_every_sample_has_its_attitude_everywhere(ring_name: str, tmp_path: Path) -> None:
    """The same numbers, whether from the ring, from the store, or in a file of ROS 2."""
    with started(ring_name, tmp_path, *OPTIONS) as (script, url):
        eventually(lambda: len(history(url, "from=0")) > 2 * CAPACITY, "nothing recorded")
        rows = history(url, "from=0&attitude=1")
        first = rows[0]["seq"]  # the recorder may have begun later than the producer
        assert [row["seq"] for row in rows] == [*range(first, first + len(rows))]
        norms = [sum(part**2 for part in row["attitude"]["q"]) for row in rows]
        assert norms == pytest.approx([1.0] * len(rows), abs=1e-6)
        assert "attitude_settling" in rows[0]["flags"]
        # The simulator rocks by up to 20°, and measures nothing but gravity.
        assert all(abs(row["attitude"]["roll"]) < 25 for row in rows)
        assert all(abs(value) < 0.1 for row in rows for value in row["attitude"]["linear"].values())
        assert not any("attitude" in row for row in history(url, "from=0"))

        with RingReader(ring_name) as reader:
            batch = trio.run(reader.read, 0)
        newest = history(
            url, f"since={rows[0]['id'].partition('-')[0]}-{batch.records[0].seq - 1}&attitude=1"
        )
        for record, row in zip(batch.records, newest, strict=False):
            assert record.seq == row["seq"]
            assert [*record[12:]] == pytest.approx(row["attitude"]["q"], abs=1e-9)

        table = list(
            csv.DictReader(io.StringIO(get(f"{url}/history?format=csv&from=0&attitude=1")[1]))
        )
        assert [float(table[5][name]) for name in ("qw", "qx", "qy", "qz")] == rows[5]["attitude"][
            "q"
        ]

        file = requests.get(f"{url}/history?format=mcap&from=0", timeout=PATIENCE_S).content
        decoded = make_reader(io.BytesIO(file), decoder_factories=[DecoderFactory()])
        messages = decoded.iter_decoded_messages(topics=["/imu/data_raw"])
        found = {message.sequence: imu for _, _, message, imu in messages}
        for row in rows:
            q = found[row["seq"]].orientation
            assert [q.w, q.x, q.y, q.z] == pytest.approx(row["attitude"]["q"], abs=1e-9)
            assert found[row["seq"]].orientation_covariance[0] == 0
        stop(script)


def test_the_option_reaches_the_producer(ring_name: str, tmp_path: Path) -> None:
    """Without an attitude, a client that asks for it gets the rest."""
    options = ("--attitude=off", "--rate=500")
    with started(ring_name, tmp_path, *options) as (script, url):
        sample = json.loads(get(url + "/json?attitude=1")[1])
        assert "attitude" not in sample
        assert sample["flags"] == ["simulated"]
        stop(script)
