"""The log's lines: whole, and never in the way."""

import contextlib
import json
import logging
import os
import re
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.processes import python
from trio_mpu import logs
from trio_mpu.logs import FLOOD_LINES, FLOOD_S, WRITE_S, LineWriter


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: the end to read, the end to write."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        with contextlib.suppress(OSError):
            os.close(fd)


def fill(fd: int) -> None:
    """Leave no room in a pipe."""
    os.set_blocking(fd, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(fd, bytes(select.PIPE_BUF))
    os.set_blocking(fd, True)


def test_a_line_is_one_write(pipe: tuple[int, int]) -> None:
    """So that it can't be torn by another program's line; print() makes two writes of it."""
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with reader, writer:
        LineWriter(writer.fileno()).write("one line ü")
        assert reader.recv(100) == "one line ü\n".encode()


def test_two_programs_with_one_standard_error_do_not_mix_their_lines() -> None:
    """Thousands of lines of four processes, each line whole."""
    program = (
        "import logging, os; from trio_mpu import logs; logs.set_up('x', 'info')\n"
        "for n in range(500): logging.info(f'{n} begins and ends {n}')\n"
    )
    reader, writer = os.pipe()
    processes = [python("-c", program, output=writer) for _ in range(4)]
    os.close(writer)
    with os.fdopen(reader) as file:
        lines = file.read().splitlines()
    for process in processes:
        assert process.wait(30) == 0
    assert len(lines) == 2000
    for line in lines:
        words = line.split()
        assert words[2:] == ["INFO", "x:", words[4], "begins", "and", "ends", words[4]]


def test_a_reader_that_has_stopped_costs_a_moment_once(pipe: tuple[int, int]) -> None:
    """And what was dropped meanwhile is counted in the next line that gets through."""
    reader, writer = pipe
    lines = LineWriter(writer)
    fill(writer)
    begun_s = time.monotonic()
    for number in range(1000):
        lines.write(f"line {number}")
    assert time.monotonic() - begun_s < 50 * WRITE_S  # not 1,000 times
    assert lines.dropped == 1000
    assert os.get_blocking(writer)  # others have this end, too
    os.read(reader, 1_000_000)
    lines.write("back again")
    text = os.read(reader, 65_536).decode()
    assert text == "(1000 lines were dropped: standard error had no room)\nback again\n"
    assert lines.dropped == 0


@pytest.mark.parametrize("how", ["closed", "broken"])
def test_a_standard_error_that_is_gone_stops_nothing(pipe: tuple[int, int], how: str) -> None:
    """Lines are dropped."""
    reader, writer = pipe
    lines = LineWriter(writer)
    os.close(reader)
    if how == "closed":
        os.close(writer)
    lines.write("unheard")
    assert lines.dropped == 1


def test_a_full_disk_stops_nothing() -> None:
    """As /dev/full has it."""
    fd = os.open("/dev/full", os.O_WRONLY)
    lines = LineWriter(fd)
    lines.write("unheard")
    os.close(fd)
    assert lines.dropped == 1


def test_a_long_traceback_is_written_whole(pipe: tuple[int, int]) -> None:
    """In pieces that a pipe takes, also when it is larger than the pipe's rest."""
    reader, writer = pipe
    text = "\n".join(f"line {number} of a traceback" for number in range(1500))
    LineWriter(writer).write(text)
    assert os.read(reader, 1_000_000).decode() == text + "\n"


def test_what_can_not_be_encoded_is_escaped(pipe: tuple[int, int]) -> None:
    """A file's name may be any bytes."""
    reader, writer = pipe
    LineWriter(writer).write("can't read \udcff")
    assert os.read(reader, 100) == b"can't read \\udcff\n"


def test_closed_standard_descriptors_are_filled() -> None:
    """The next file would be opened in their place, and the log written into it."""
    program = (
        "import os; [os.close(fd) for fd in (0, 1, 2)]\n"
        "from trio_mpu import logs\n"
        "logs.fill_standard_descriptors(); logs.set_up('x', 'info')\n"
        "fd = os.open('/proc/self/stat', os.O_RDONLY)\n"
        "import logging; logging.info('lost'); os._exit(fd)\n"
    )
    with python("-c", program) as process:
        process.communicate(timeout=30)
    assert process.returncode > 2


def test_an_error_in_a_message_is_no_error_of_the_program(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A message that does not fit its arguments is logged as it is."""
    handler = logs._Handler()
    logger = logging.getLogger("test_logs")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        logger.warning("%d", "no number")
    finally:
        logger.removeHandler(handler)
    assert capfd.readouterr().err == "'%d' with ('no number',)\n"


def run_logging(program: str, environ: dict[str, str] | None = None) -> list[str]:
    """What a program logs, as lines."""
    setting_up = "import logging, sys; from trio_mpu import logs; logs.set_up('x', 'info')\n"
    with python("-c", setting_up + program, environ=environ) as process:
        _, err = process.communicate(timeout=30)
    return err.splitlines()


def test_a_line_has_date_time_level_and_name() -> None:
    """A log is read a week later."""
    (line,) = run_logging("logging.warning('look')")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d WARNING x: look", line)


def test_the_journal_gets_priorities() -> None:
    """For each line of a traceback; the time is its own."""
    reader, writer = os.pipe()
    found = os.fstat(writer)
    program = (
        "import logging; from trio_mpu import logs; logs.set_up('x', 'info')\n"
        "logging.info('one'); logging.error('two\\nlines')\n"
    )
    environ = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
    with python("-c", program, environ=environ, output=writer) as process:
        os.close(writer)
        assert process.wait(30) == 0
    with os.fdopen(reader) as file:
        assert file.read().splitlines() == ["<6>x: one", "<3>x: two", "<3>lines"]


def test_a_flood_is_cut_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By kind of line, whatever its values; other kinds are not touched."""
    clock_s = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: clock_s)
    flood = logs.Flood()
    found = [flood.left_out("refusing %s") for _ in range(1000)]
    assert found == [0] * FLOOD_LINES + [None] * (1000 - FLOOD_LINES)
    assert flood.left_out("another") == 0
    clock_s = FLOOD_S
    assert flood.left_out("refusing %s") == 1000 - FLOOD_LINES
    assert flood.left_out("refusing %s") == 0


def test_the_line_after_a_flood_says_how_many_were_left_out() -> None:
    """And a log for developers has them all."""
    lines = run_logging(
        "logs.FLOOD_S = 0.2; import time\n"
        "for n in range(100): logging.info('line %d', n)\n"
        "time.sleep(0.2); logging.info('line %d', 100)\n"
    )
    assert len(lines) == FLOOD_LINES + 1
    assert lines[-1].endswith("line 100 (95 more lines like this one were left out)")


# -- as JSON ----------------------------------------------------------------------------


def run_logging_json(program: str) -> list[dict[str, Any]]:
    """What a program logs, as objects: each line has to be one."""
    setting_up = "import logging; from trio_mpu import logs; logs.set_up('x', 'info', 'json')\n"
    with python("-c", setting_up + program) as process:
        _, err = process.communicate(timeout=30)
    return [json.loads(line) for line in err.splitlines()]


def test_as_json_a_line_is_an_object() -> None:
    """With the time in UTC, the level in the option's words, the program and the logger."""
    (found,) = run_logging_json("logging.getLogger('a.b').warning('look at %s', 'it')")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found.pop("time"))
    assert found == {"level": "warning", "program": "x", "logger": "a.b", "message": "look at it"}


def test_as_json_whatever_a_message_contains_stays_on_its_line() -> None:
    """Ends of lines of all kinds, quotes, bytes of a file's name that are no text."""
    text = 'a\nb\r\x85\u2028"\\ü\udcff\x00'
    (found,) = run_logging_json(f"logging.error({text!r})")
    assert found["message"] == text


def test_as_json_an_exception_is_in_its_object() -> None:
    """Its traceback, with its lines."""
    (found,) = run_logging_json("try: 1/0\nexcept ZeroDivisionError: logging.exception('no')")
    assert (found["level"], found["message"]) == ("error", "no")
    first, *_, last = found["exception"].splitlines()
    assert (first[:9], last) == ("Traceback", "ZeroDivisionError: division by zero")


def test_as_json_the_end_by_an_error_that_was_not_foreseen_is_an_object() -> None:
    """Not the traceback that Python prints."""
    (found,) = run_logging_json("raise ExceptionGroup('both', [ValueError('a'), KeyError('b')])")
    assert (found["level"], found["message"]) == ("critical", "ended by an error")
    assert "ValueError: a" in found["exception"]


def test_as_json_a_flood_is_counted_in_the_message() -> None:
    """As in text."""
    found = run_logging_json(
        "logs.FLOOD_S = 0.2; import time\n"
        "for n in range(100): logging.info('line %d', n)\n"
        "time.sleep(0.2); logging.info('line %d', 100)\n"
    )
    assert found[-1]["message"] == "line 100 (95 more lines like this one were left out)"


def test_as_json_why_a_program_ends_is_an_object() -> None:
    """Logged by no logger, and said whatever --log-level is."""
    (found,) = run_logging_json("logging.disable(); logs.failed('x', OSError('no sensor'))")
    assert (found["level"], found["program"], found["message"]) == ("error", "x", "no sensor")


def test_as_json_dropped_lines_are_an_object(pipe: tuple[int, int]) -> None:
    """In front of the line that got through."""
    reader, writer = pipe
    handler = logs._Handler(logs._JsonFormatter("x", for_journal=False))
    handler._writer._fd = writer
    fill(writer)
    handler.emit(logging.makeLogRecord({"msg": "lost"}))
    os.read(reader, 1_000_000)
    handler.emit(logging.makeLogRecord({"msg": "back again"}))
    lines = [json.loads(line)["message"] for line in os.read(reader, 65_536).splitlines()]
    assert lines == ["1 lines were dropped: standard error had no room", "back again"]


def test_as_json_the_journal_gets_priorities_too() -> None:
    """It takes them off, so that its message is the object."""
    reader, writer = os.pipe()
    found = os.fstat(writer)
    program = (
        "import logging; from trio_mpu import logs; logs.set_up('x', 'info', 'json')\n"
        "logging.error('two\\nlines')\n"
    )
    environ = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
    with python("-c", program, environ=environ, output=writer) as process:
        os.close(writer)
        assert process.wait(30) == 0
    with os.fdopen(reader) as file:
        (line,) = file.read().splitlines()
    assert line.startswith("<3>")
    assert json.loads(line[3:])["message"] == "two\nlines"
