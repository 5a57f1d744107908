"""The command `trio-mpu`, and what producer_main.py and server_main.py run.

Each sub-command imports what it needs when it is run: `start` stays small while the programs run.

Ctrl-C before a program is there to stop ends the process as SIGINT ends any other: without a word.
"""

import _signal  # type: ignore[import-not-found]  # signal itself takes a while

_on_interrupt = _signal.getsignal(_signal.SIGINT)
if _on_interrupt is _signal.default_int_handler:  # it may be ignored, as under nohup(1)
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

if not __package__:  # run as a file, by a supervisor: see supervisor/program.py
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from trio_mpu import __version__, logs
from trio_mpu.errors import TrioMpuError, UsageError
from trio_mpu.options import Parser, parse
from trio_mpu.settings import (
    CalibrateSettings,
    ImportSettings,
    ProducerSettings,
    RecordSettings,
    ServerSettings,
    StartSettings,
)

if _on_interrupt is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _on_interrupt)

# What shells report for an end by SIGINT. It is returned where the signal is blocked, and ends nothing.
INTERRUPTED: Final = 130

START_HELP: Final = """\
Then open http://localhost:3737/ in a browser; Ctrl-C stops everything.

examples:
  trio-mpu start                               the sensor that is found, or simulated data
  trio-mpu start --device i2c:1 --rate 200     a chip on /dev/i2c-1, 200 samples a second
  trio-mpu start --device sim --port 8080      simulated data on another port

Each option can also be set in the environment: TRIO_MPU_PORT for --port, and so on.
./start.sh takes the same options."""

IMPORT_HELP: Final = """\
A column is named as in the log's header, or numbered from 1. Nothing is guessed: what is not said or
not certain is refused. See docs/import.md.

presets: {presets}

examples:
  trio-mpu import walk.csv --preset phyphox --output walk-ours.csv
  trio-mpu import log.csv --time ms:t --accel mss:ax,ay,az --gyro rads:gx,gy,gz --temp none --output o.csv
  trio-mpu import raw.txt --time us:1 --accel lsb:16384:2,3,4 --gyro lsb:131:5,6,7 --temp none --output o.csv"""

Argv = Sequence[str]
Environ = Mapping[str, str]


def start(argv: Argv, environ: Environ) -> int:
    """Run producer, server and, with --store, the recorder until Ctrl-C; restart what ends."""
    from trio_mpu.store.keep import parse_keep
    from trio_mpu.supervisor.start import run_start

    settings = parse(StartSettings, "start", str(start.__doc__), argv, environ, START_HELP)
    # Here, since the recorder's own failure ends nothing.
    parse_keep(settings.keep)
    if settings.keep and not settings.store:
        raise UsageError("--keep is for a recorder: give --store FILE, too")
    logs.fill_standard_descriptors()
    logs.set_up("start", settings.log_level, settings.log_format)
    return run_start(settings, argv)


def producer(argv: Argv, environ: Environ) -> int:
    """Read the sensor and write the ring."""
    import trio

    from trio_mpu import lifecycle
    from trio_mpu.producer.run import run_producer

    settings = parse(ProducerSettings, "producer", str(producer.__doc__), argv, environ)

    async def program(stop: trio.Event, ready: Callable[[], None]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lifecycle.cancel_at, stop, nursery.cancel_scope)
            await nursery.start(run_producer, settings)
            ready()

    return lifecycle.run(
        "producer", settings.log_level, program, settings.supervisor, settings.log_format
    )


def server(argv: Argv, environ: Environ) -> int:
    """Read the ring and serve it to browsers and programs."""
    from trio_mpu import lifecycle

    settings = parse(ServerSettings, "server", str(server.__doc__), argv, environ)
    lifecycle.allow_descriptors(settings.max_clients)
    if settings.workers > 1 and settings.worker is None:
        from trio_mpu.server.workers import run_workers

        logs.fill_standard_descriptors()
        logs.set_up("server", settings.log_level, settings.log_format)
        return run_workers(settings, argv)
    import trio

    from trio_mpu.server.run import run_server

    lifecycle.look_for_garbage_rarely()

    async def program(stop: trio.Event, ready: Callable[[], None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(run_server, settings, stop)
            ready()

    name = "server" if settings.worker is None else f"worker {settings.worker[0]}"
    return lifecycle.run(
        name, settings.log_level, program, settings.supervisor, settings.log_format
    )


def calibrate(argv: Argv, environ: Environ) -> int:
    """Calibrate a sensor at rest or in six positions, or run its factory self-test."""
    import trio

    from trio_mpu import lifecycle
    from trio_mpu.calibration.run import run_calibrator

    settings = parse(CalibrateSettings, "calibrate", str(calibrate.__doc__), argv, environ)
    # Without standard input the number 0 is some other file's.
    stdin_fd = 0 if sys.stdin else -1

    async def program(stop: trio.Event, ready: Callable[[], None]) -> None:
        ready()
        await run_calibrator(settings, stop, stdin_fd)

    return lifecycle.run("calibrate", settings.log_level, program, log_format=settings.log_format)


def record(argv: Argv, environ: Environ) -> int:
    """Keep the ring's samples in a file that outlives it."""
    import trio

    from trio_mpu import lifecycle
    from trio_mpu.store.recorder import run_recorder

    settings = parse(RecordSettings, "record", str(record.__doc__), argv, environ)

    async def program(stop: trio.Event, ready: Callable[[], None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(run_recorder, settings, stop)
            ready()

    return lifecycle.run(
        "record", settings.log_level, program, settings.supervisor, settings.log_format
    )


def import_(argv: Argv, environ: Environ) -> int:
    """Make a recording of another program's log."""
    from trio_mpu.importing.presets import PRESETS
    from trio_mpu.importing.run import run_import

    epilog = IMPORT_HELP.format(presets=", ".join(PRESETS))
    settings = parse(ImportSettings, "import", str(import_.__doc__), argv, environ, epilog)
    logs.fill_standard_descriptors()
    run_import(settings)
    return 0


COMMANDS: Final = (start, producer, server, calibrate, record, import_)


def name_of(command: Callable[[Argv, Environ], int]) -> str:
    """Return a sub-command's name; a function can't be called `import`."""
    return command.__name__.removesuffix("_")


def run(command: Callable[[Argv, Environ], int], argv: Argv, environ: Environ) -> int:
    """Run a sub-command; return its exit status. What can be foreseen is one line."""
    if list(argv) == ["--version"]:
        print(f"trio-mpu {__version__}")
        return 0
    try:
        return command(argv, environ)
    except TrioMpuError as error:
        return logs.failed(name_of(command), error)
    except KeyboardInterrupt:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        os.kill(os.getpid(), _signal.SIGINT)
        return INTERRUPTED


def main() -> int:
    """Run the sub-command that the command line names."""
    parser = Parser(
        prog="trio-mpu",
        description="From an MPU-6050 to every browser and program on the network.",
        epilog="trio-mpu COMMAND --help lists the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"trio-mpu {__version__}")
    names = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        names.add_parser(name_of(command), help=command.__doc__, add_help=False)
    try:
        chosen = parser.parse_args(sys.argv[1:2]).command
    except UsageError as error:
        return logs.failed("trio-mpu", error)
    (command,) = (each for each in COMMANDS if name_of(each) == chosen)
    return run(command, sys.argv[2:], os.environ)


if __name__ == "__main__":
    sys.exit(main())
