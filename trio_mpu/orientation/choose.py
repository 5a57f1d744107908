"""Whether samples get an attitude: if that is wanted, and if the library for it is there."""

import logging

from trio_mpu.orientation.rules import MakeFilter

log = logging.getLogger(__name__)


def load_filter(*, wanted: bool) -> MakeFilter | None:
    """Return what makes a filter; None if none is wanted, or, with a warning, if VQF's library is
    missing. Takes 0.2 s and 13 MB, most of both for numpy."""
    if not wanted:
        return None
    try:
        from trio_mpu.orientation.filter import VqfFilter  # noqa: PLC0415 - see above
    except ImportError as error:
        log.warning(
            'samples have no attitude: %s; do: pip install "trio-mpu[orientation]" (which needs g++ '
            "and python3-dev where it has to be compiled)",
            str(error).partition("\n")[0],
        )
        return None
    return VqfFilter
