"""Lines of the log as JSON."""

import json

from trio_mpu.log_lines import json_line


def test_a_line_is_one_object_whatever_is_in_it() -> None:
    """In ASCII, without an end of line; an exception is there only when there is one."""
    line = json_line(1_500_000, "error", "server", "trio_mpu.http", 'two\nlines, "°"')
    assert line.isascii()
    assert "\n" not in line
    fields = json.loads(line)
    assert fields == {
        "time": "1970-01-01T00:00:01.500000Z",
        "level": "error",
        "program": "server",
        "logger": "trio_mpu.http",
        "message": 'two\nlines, "°"',
    }
    line = json_line(1_500_000, "error", "server", "trio_mpu.http", 'two\nlines, "°"', "why")
    assert json.loads(line) == fields | {"exception": "why"}
