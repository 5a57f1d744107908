"""Whether there is an attitude at all."""

import subprocess
import sys

import pytest

from trio_mpu.orientation.choose import load_filter
from trio_mpu.orientation.filter import VqfFilter


def test_the_filter_is_vqf(caplog: pytest.LogCaptureFixture) -> None:
    """Where its library is there, and an attitude is wanted."""
    assert load_filter(wanted=True) is VqfFilter
    assert load_filter(wanted=False) is None
    assert not caplog.records


@pytest.mark.parametrize("missing", ["vqf", "numpy"])
def test_without_the_library_one_line_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything else goes on without it."""
    monkeypatch.delitem(sys.modules, "trio_mpu.orientation.filter")
    monkeypatch.setitem(sys.modules, missing, None)
    assert load_filter(wanted=True) is None
    [message] = [record.getMessage() for record in caplog.records]
    assert message.startswith("samples have no attitude: ")
    assert missing in message
    assert 'pip install "trio-mpu[orientation]"' in message
    assert "\n" not in message


def test_who_wants_none_does_not_pay_for_it() -> None:
    """Numpy takes 13 MB."""
    program = (
        "import sys, trio_mpu.producer.run\n"
        "from trio_mpu.orientation.choose import load_filter\n"
        "load_filter(wanted=False)\n"
        "print(sorted({'numpy', 'vqf'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n"
