# Pure: no I/O, no clock, no waiting.
"""Every failure that a caller may handle, as one tree.

A message is one line, written for the person at the keyboard: what is wrong and, where
there is something to do, what. A leaf exists only when some caller acts on it.
"""


class TrioMpuError(Exception):
    """Base of all errors of this package."""


class UsageError(TrioMpuError):
    """The command line or the environment is wrong; exit status 2."""


# -- the sensor ---------------------------------------------------------------------


class DeviceError(TrioMpuError):
    """The device gave no usable reading this time; the caller tries again."""


class NoDevice(DeviceError):
    """There is no such device here; `auto` looks for one of the next kind."""


class NoSampleYet(DeviceError):
    """The device works but has measured nothing yet; the caller waits without alarm."""


class EndOfReplay(DeviceError):
    """A recording has been played to its end; the caller stops in good order."""


class CalibrationError(TrioMpuError):
    """A calibration can't be used, or can't be made."""


class NoCalibration(CalibrationError):
    """There is no such file; in the default place that is no fault."""


# -- the ring -----------------------------------------------------------------------


class RingError(TrioMpuError):
    """The shared memory cannot be used."""


class RingMissing(RingError):
    """There is no such ring, or it is not ready: a reader waits for a producer."""


class RingDamaged(RingError):
    """Something other than the ring's producer has written to it, or cut it short: the producer makes
    a new one, and a reader goes over to that."""


class RingHeld(RingError):
    """A live process holds the semaphore past the deadline; the caller tries again later."""


# -- the store ----------------------------------------------------------------------


class StoreError(TrioMpuError):
    """The file with the history can't be used, or can't be written now."""


# -- logs of other programs ----------------------------------------------------------


class ImportRefused(TrioMpuError):
    """Another program's log is not understood for certain, or the recording can't be written."""


# -- the network --------------------------------------------------------------------


class RequestError(TrioMpuError):
    """A request that gets an error for an answer: `status` is its HTTP status code, `headers` are
    what the answer has beside those of any error."""

    def __init__(
        self, status: int, message: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class ClientGone(TrioMpuError):
    """The client has left, or, when `stuck`, takes nothing any more: the connection ends quietly."""

    def __init__(self, message: str, *, stuck: bool = False) -> None:
        super().__init__(message)
        self.stuck = stuck


class ServerError(TrioMpuError):
    """The server cannot listen, or not with this certificate."""
