# Pure: no I/O, no clock, no waiting.
"""A line of the log as JSON (RFC 8259): one object, whatever a message contains.

It is ASCII: no character of a message can end the line or spoil the encoding.
"""

from typing import Final

from trio_mpu.iso_time import iso

TEXT: Final = "text"
JSON: Final = "json"


def json_line(
    time_us: int, level: str, program: str, logger: str, message: str, exception: str = ""
) -> str:
    """Return the object; `time_us` is since 1970, and an empty `exception` is left out."""
    import json  # noqa: PLC0415 - 0.2 MB that a supervisor which logs text can do without

    fields = {
        "time": iso(time_us),
        "level": level,
        "program": program,
        "logger": logger,
        "message": message,
    }
    if exception:
        fields["exception"] = exception
    return json.dumps(fields)
