"""`trio-mpu start`: producer, server and recorder together, and nothing left behind."""

import logging
import os
import time
from collections.abc import Sequence
from typing import Final

from trio_mpu.options import options_of
from trio_mpu.settings import ProducerSettings, RecordSettings, ServerSettings, StartSettings
from trio_mpu.supervisor.keeper import Supervisor
from trio_mpu.supervisor.notify import Notifier
from trio_mpu.supervisor.program import Program, our_command

log = logging.getLogger(__name__)

HEAD_START_S: Final = 1.0  # arbitrary: a sensor that takes longer does not keep the page away
# Bound "time before start kills a program, s".
STOP_S: Final = 3.5  # the server gives its clients 3 s, and its workers a little more


def run_start(settings: StartSettings, argv: Sequence[str]) -> int:
    """Run the programs until a signal; return the exit status. Without a file for it, there is no
    recorder.

    `argv` are the options that `settings` were made of: each program gets those that it has. The
    rest is in the environment, which all share, as is the working folder.
    """
    given = _given(argv)
    producer = _program("producer", ProducerSettings, given)
    # A producer that finds no sensor says so in one line, which is not to be looked for.
    due_s = time.monotonic() + HEAD_START_S
    server = _program("server", ServerSettings, given)
    server.after, server.due_s = producer, due_s
    recorder = _program("record", RecordSettings, given)
    recorder.after, recorder.due_s = producer, due_s
    # It writes the producer's last samples, too: with the ring they would be gone.
    recorder.outlives = producer

    def is_hopeless(program: Program) -> bool:
        # The page is of use without a recorder.
        return program is not recorder and not program.was_ready

    def remove_ring() -> None:
        if recorder.status:
            log.warning(
                "ring %s stays: what is not in the file can be recorded from it at the next start",
                settings.ring,
            )
            return
        # Not before: it loads much, and the supervisor is to be small while everything runs.
        from trio_mpu.shm.segment import remove  # noqa: PLC0415

        remove(settings.ring)  # unless another producer has it by now

    programs = [producer, server, *([recorder] if settings.store else [])]
    notifier = Notifier.of(os.environ)
    return Supervisor(programs, STOP_S, is_hopeless, at_end=remove_ring, notifier=notifier).run()


def _program(name: str, kind: type, given: dict[str, str]) -> Program:
    options = (f"--{key}={given[key]}" for key in options_of(kind) if key in given)
    return Program(name, our_command(name, *options))


def _given(argv: Sequence[str]) -> dict[str, str]:
    """Return the options of a sound command line by their names; all of them take a value."""
    given, words = {}, iter(argv)
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        given[name] = value if equals else next(words)
    return given
