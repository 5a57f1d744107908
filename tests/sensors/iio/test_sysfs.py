"""Files that mean something: written, remembered, put back."""

import errno
from pathlib import Path

import pytest

from tests.helpers.fake_devices import one_line
from tests.helpers.fake_iio import FakeIio
from trio_mpu.errors import DeviceError
from trio_mpu.sensors.iio.sysfs import Folder, failed


@pytest.fixture
def iio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeIio:
    """A kernel with a device."""
    kernel = FakeIio(tmp_path, monkeypatch)
    kernel.bind(buffer=False)
    return kernel


def test_changes_are_undone_in_reverse_to_the_first_state(iio: FakeIio) -> None:
    """What was changed twice goes back to what it was before the first time."""
    folder = Folder(iio.folder)
    folder.set("sampling_frequency", "100")
    folder.set("in_accel_scale", "1")
    folder.set("sampling_frequency", "200")
    folder.set("in_temp_scale", "2.941176")
    assert iio.written == [
        ("sampling_frequency", "100"),
        ("in_accel_scale", "1"),
        ("sampling_frequency", "200"),
    ]
    iio.written.clear()
    folder.restore()
    assert iio.written == [("in_accel_scale", "0.000598"), ("sampling_frequency", "50")]
    folder.restore()
    assert len(iio.written) == 2


def test_a_text_ends_where_its_words_end(iio: FakeIio) -> None:
    """As the kernel writes it: with the end of a line, and sometimes with one of C's."""
    (iio.folder / "current_timestamp_clock").write_bytes(b"monotonic\n\0")
    folder = Folder(iio.folder)
    assert folder.get("current_timestamp_clock") == "monotonic"
    folder.set("current_timestamp_clock", "monotonic")
    assert not iio.written


def test_what_can_not_be_put_back_is_logged_and_the_rest_is_put_back(
    iio: FakeIio, caplog: pytest.LogCaptureFixture
) -> None:
    """Except of a device that is gone."""
    folder = Folder(iio.folder)
    folder.set("sampling_frequency", "100")
    folder.set("in_accel_scale", "1")
    iio.errors["in_accel_scale"] = errno.EINVAL
    folder.restore()
    assert iio.says("sampling_frequency") == "50"
    [message] = caplog.messages
    assert "in_accel_scale: Invalid argument" in message
    folder.set("sampling_frequency", "100")
    caplog.clear()
    iio.unbind()
    folder.restore()
    assert not caplog.messages


def test_a_file_is_never_made(iio: FakeIio) -> None:
    """A setting that the device doesn't have is an error."""
    folder = Folder(iio.folder)
    with pytest.raises(DeviceError, match="No such file") as caught:
        folder.set("in_magn_scale", "1")
    one_line(caught.value)
    with pytest.raises(FileNotFoundError):
        folder.put("in_magn_scale", "1")
    assert not folder.has("in_magn_scale")


def test_an_error_is_one_line_with_and_without_advice() -> None:
    """Path, reason, and what to do if that is known."""
    path = Path("/sys/x")
    assert str(failed(OSError(errno.EMFILE, ""), path)) == "can't read /sys/x: Too many open files"
    busy = failed(OSError(errno.EBUSY, ""), path, "write '1' to")
    assert str(busy) == (
        "can't write '1' to /sys/x: Device or resource busy (another program is using the sensor; "
        "stop it)"
    )
    assert str(failed(OSError("odd"), path)) == "can't read /sys/x: Success"
