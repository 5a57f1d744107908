"""All checks, one after the other; the one that has to wait runs beside them."""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from trio_mpu.conformance import history_checks, http_checks, resume_checks, stream_checks
from trio_mpu.conformance.check import Check
from trio_mpu.conformance.subject import Subject
from trio_mpu.conformance.verdict import Failed, NotTried

CHECKS: Final[Sequence[Check]] = (
    *http_checks.CHECKS,
    *stream_checks.CHECKS,
    *resume_checks.CHECKS,
    *history_checks.CHECKS,
    stream_checks.HEARTBEAT,
)


def chosen(names: Sequence[str]) -> list[Check]:
    """Return the checks with these ids, or whose ids begin with one of these and a dot; all without
    any. An unknown name has none."""
    return [
        check
        for check in CHECKS
        if not names or check.id in names or check.id.partition(".")[0] in names
    ]


def verdict_of(check: Check, subject: Subject) -> str:
    """Return `ok`, or `FAILED: …` or `not tried: …` with the reason."""
    try:
        check.run(subject)
    except Failed as error:
        return f"FAILED: {error}"
    except NotTried as error:
        return f"not tried: {error}"
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # The server gave something that this check did not even think of.
        return f"FAILED: {type(error).__name__}: {error}"
    return "ok"


def run_checks(
    checks: Sequence[Check], subject: Subject, say: Callable[[Check, str], None]
) -> bool:
    """Make the checks, and say what became of each; return whether none has failed."""
    waiting = (
        _Beside(stream_checks.HEARTBEAT, subject) if stream_checks.HEARTBEAT in checks else None
    )
    passed = True
    for check in checks:
        if waiting is not None and check is stream_checks.HEARTBEAT:
            verdict = waiting.result()
        else:
            verdict = verdict_of(check, subject)
        passed = passed and not verdict.startswith("FAILED")
        say(check, verdict)
    return passed


class _Beside:
    """A check in a thread of its own."""

    def __init__(self, check: Check, subject: Subject) -> None:
        self._verdict = ""
        # Its connection is its own, and what is shared is not touched by it.
        own = Subject(subject.target, subject.deadline_s)
        self._thread = threading.Thread(target=self._run, args=(check, own), daemon=True)
        self._thread.start()

    def _run(self, check: Check, subject: Subject) -> None:
        self._verdict = verdict_of(check, subject)

    def result(self) -> str:
        """Wait for the verdict."""
        self._thread.join()
        return self._verdict
