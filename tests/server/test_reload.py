"""Files that are read again at SIGHUP."""

import logging
import os
import signal

import pytest
import trio

from tests.helpers.fakes import until
from trio_mpu.errors import UsageError
from trio_mpu.server.reload import Reloader


async def test_each_hangup_reads_everything_again(caplog: pytest.LogCaptureFixture) -> None:
    """One line for each, with what was found, if that is said."""
    caplog.set_level(logging.INFO)
    reloader, read = Reloader(), list[str]()

    def certificate() -> None:
        read.append("certificate")

    def tokens() -> str:
        read.append("tokens")
        return "3"

    reloader.add("certificate", certificate)
    reloader.add("tokens", tokens)
    async with trio.open_nursery() as nursery:
        await nursery.start(reloader.run)
        for times in (1, 2):
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: len(read) == 2 * times)  # noqa: B023
        nursery.cancel_scope.cancel()
    assert read == ["certificate", "tokens"] * 2
    assert caplog.messages == ["certificate read again", "tokens: 3 read again"] * 2


@pytest.mark.parametrize(
    "error", [UsageError("line 3: no token"), OSError("no such file"), ValueError("no number")]
)
def test_what_can_not_be_read_stays_and_the_rest_is_read(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """With one warning that has the reason."""
    caplog.set_level(logging.INFO)
    reloader = Reloader()

    def fail() -> None:
        raise error

    reloader.add("tokens", fail)
    reloader.add("certificate", lambda: None)
    reloader.reload()
    assert caplog.messages == [
        f"tokens not read again, the old ones stay: {error}",
        "certificate read again",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
