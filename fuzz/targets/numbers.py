"""Texts of one line or a few: the device's, options, and what the conformance suite reads."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Final

from fuzz.check import check_message
from trio_mpu.conformance.answers import head_of
from trio_mpu.conformance.events import Event, Parser
from trio_mpu.conformance.verdict import Failed
from trio_mpu.device import parse_text
from trio_mpu.errors import DeviceError, UsageError
from trio_mpu.importing.plan import plan_of
from trio_mpu.iso_time import iso, moment, parse
from trio_mpu.sensors.mpu6050.options import parse_chip
from trio_mpu.sensors.replay.options import parse_options
from trio_mpu.store.keep import parse_keep


def device_text(data: bytes) -> None:
    """A text is refused in one line, or is the very text that its numbers are written as."""
    try:
        sample = parse_text(data, 7)
    except DeviceError as error:
        check_message(error)
        return
    ax, ay, az, gx, gy, gz, temp = sample[1:8]
    lines = data.replace(b"\r\n", b"\n").removesuffix(b"\n").removesuffix(b"\r").split(b"\n")
    assert lines[1] == f"{ax: .3f},{ay: .3f},{az: .3f}, [g]".encode()
    assert lines[2] == f"{gx: .3f},{gy: .3f},{gz: .3f}, [dps]".encode()
    assert lines[3].strip() == f"{temp:.3f}, [°C]".encode()


def _plan(text: str) -> object:
    preset, time, accel, gyro, temp, *_ = [*text.split(" ", 4), *[""] * 5]
    return plan_of({"preset": preset, "time": time, "accel": accel, "gyro": gyro, "temp": temp})


_OPTIONS: Final[Sequence[Callable[[str], object]]] = (
    parse_options,
    lambda text: parse_chip(text, 100.0),
    parse_keep,
    _plan,
)


def options(data: bytes) -> None:
    """What options say is understood, or refused in one line; times come back as they were."""
    text = data[1:].decode(errors="replace")
    if not text.isprintable():  # open_device and the shell's people see to that
        text = "".join(filter(str.isprintable, text))
    with contextlib.suppress(UsageError):
        found = _OPTIONS[(data[0] if data else 0) % len(_OPTIONS)](text)
        if isinstance(source := getattr(found, "source", None), str):
            # The spec in one spelling means the same again.
            assert parse_options(source.removeprefix("replay:")) == found
    microseconds = parse(text)
    if microseconds is not None:
        assert iso(microseconds) == text
        assert moment(text) == microseconds * 1000


def _events(pieces: Sequence[bytes]) -> tuple[list[Event], bool]:
    parser, found = Parser(), list[Event]()
    try:
        for piece in pieces:
            found += parser.feed(piece)
    except Failed:
        return found, True
    return found, False


def conformance(data: bytes) -> None:
    """What a server sends is understood alike in any pieces, or is a failed check."""
    with contextlib.suppress(Failed):
        head_of(data.split(b"\r\n"), "GET")
    each = [data[place : place + 1] for place in range(len(data))]
    (whole, failed), (in_bytes, fails) = _events([data]), _events(each)
    assert failed == fails
    assert failed or whole == in_bytes
