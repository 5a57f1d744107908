"""The page has words for everything that the programs report."""

import re

from trio_mpu import record
from trio_mpu.metrics import counters
from trio_mpu.sample import Flag
from trio_mpu.web.page import FOLDER


def words(name: str, table: str) -> dict[str, str]:
    """The texts of a table in a script, by their names."""
    found = re.search(rf"(?s)const {table} = \{{(.*?)\}};", (FOLDER / name).read_text())
    assert found
    return dict(re.findall(r'(?m)^ *(\w+): "(.+)",$', found[1]))


def test_each_doubt_about_an_attitude_has_words() -> None:
    """All flags of the attitude, and that of a range that was too small."""
    flags = {str(flag.name).lower() for flag in Flag if str(flag.name).startswith("ATTITUDE_")}
    assert len(flags) > 2
    assert words("view/board.js", "TRUST").keys() == flags | {"clipped"}


def test_each_loss_has_words() -> None:
    """All counters of readings that were lost, the producer's and the server's."""
    lost = {name for name in (*record.LEDGER, *counters.LEDGER) if name.endswith("_lost")}
    assert len(lost) > 5
    assert words("view/device.js", "LOSSES").keys() == lost
