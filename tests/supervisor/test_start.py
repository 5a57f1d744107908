"""Which programs `start` runs, and with which options."""

from collections.abc import Callable, Sequence

import pytest

from trio_mpu.__main__ import run, start
from trio_mpu.settings import StartSettings
from trio_mpu.shm import segment
from trio_mpu.supervisor import start as start_module
from trio_mpu.supervisor.notify import Notifier
from trio_mpu.supervisor.program import Program
from trio_mpu.supervisor.start import run_start


class Kept:
    """What a supervisor was made of."""

    programs: Sequence[Program] = ()
    is_hopeless: Callable[[Program], bool]
    at_end: Callable[[], None]

    def by_name(self, name: str) -> Program:
        """The program of this name."""
        (program,) = (each for each in self.programs if each.name == name)
        return program

    def options(self, name: str) -> list[str]:
        """The options that a program was given."""
        command = self.by_name(name).command
        return [*command[command.index(name) + 1 :]]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    """A supervisor that runs nothing."""
    kept = Kept()

    class Supervisor:
        def __init__(
            self,
            programs: Sequence[Program],
            stop_s: float,
            is_hopeless: Callable[[Program], bool],
            at_end: Callable[[], None],
            notifier: Notifier,
        ) -> None:
            kept.programs, kept.is_hopeless, kept.at_end = programs, is_hopeless, at_end

        def run(self) -> int:
            return 0

    monkeypatch.setattr(start_module, "Supervisor", Supervisor)
    return kept


def test_without_a_file_there_is_no_recorder(kept: Kept) -> None:
    """Producer and server, as they are of use by themselves."""
    assert run_start(StartSettings(), []) == 0
    assert [program.name for program in kept.programs] == ["producer", "server"]


def test_each_program_gets_the_options_that_it_has(kept: Kept) -> None:
    """Of the recorder's, the server needs the file."""
    argv = ["--store", "a b.db", "--keep=2GB", "--rate=5", "--port=1", "--ring", "r"]
    run_start(StartSettings(store="a b.db", keep="2GB"), argv)
    assert kept.options("producer") == ["--ring=r", "--rate=5"]
    assert {*kept.options("server")} == {"--ring=r", "--store=a b.db", "--port=1"}
    assert kept.options("record") == ["--ring=r", "--store=a b.db", "--keep=2GB"]


def test_the_recorder_comes_after_the_producer_and_outlives_it(kept: Kept) -> None:
    """Else the last samples would go with the ring."""
    run_start(StartSettings(store="a.db"), [])
    recorder, producer = kept.by_name("record"), kept.by_name("producer")
    assert (recorder.after, recorder.outlives) == (producer, producer)


def test_a_recorder_that_fails_takes_the_page_from_nobody(kept: Kept) -> None:
    """The failure of the others before they were ever ready ends all."""
    run_start(StartSettings(store="a.db"), [])
    assert [program.name for program in kept.programs if kept.is_hopeless(program)] == [
        *("producer", "server")
    ]
    for program in kept.programs:
        program.was_ready = True
    assert not any(map(kept.is_hopeless, kept.programs))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--store=a.db", "--keep=lots"], "start: --keep: 'lots' is no size or age"),
        (["--keep=2GB"], "start: --keep is for a recorder: give --store FILE, too"),
    ],
)
def test_a_wrong_bound_is_refused_before_anything_runs(
    kept: Kept, capfd: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    """In one line, with status 2: the recorder by itself would say it again and again."""
    assert run(start, options, {}) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(message)
    assert kept.programs == ()


@pytest.mark.parametrize(("status", "stays"), [(0, False), (1, True), (-9, True)])
def test_the_ring_stays_if_the_recorder_has_not_ended_well(
    kept: Kept,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: int,
    stays: bool,
) -> None:
    """What is not in the file is still there; the next recorder finds it."""
    removed: list[str] = []
    monkeypatch.setattr(segment, "remove", removed.append)
    run_start(StartSettings(store="a.db", ring="mine"), [])
    kept.by_name("record").status = status
    kept.at_end()
    assert removed == ([] if stays else ["mine"])
    assert ("ring mine stays" in caplog.text) == stays
