"""The terminal that a program was started in, and its end, which comes as SIGHUP."""

import os
import signal


class Terminal:
    """This process's controlling terminal (tty(4)), if it has one and is to end with it: nohup(1) has
    SIGHUP ignored."""

    def __init__(self) -> None:
        self._matters = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN and _is_there()

    def is_closed(self) -> bool:
        """Tell whether the terminal that there was is gone."""
        return self._matters and not _is_there()


def _is_there() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
