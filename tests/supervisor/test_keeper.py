"""Keeping programs running: the supervisor over small shell scripts."""

import contextlib
import errno
import logging
import math
import os
import re
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.programs import eventually
from trio_mpu.supervisor import keeper
from trio_mpu.supervisor import program as program_module
from trio_mpu.supervisor.keeper import Supervisor
from trio_mpu.supervisor.notify import Notifier
from trio_mpu.supervisor.program import SOUND_S, Pauses, Program, how_it_ended, our_command

# The shell's first argument is --supervisor=READY_FD:LIFELINE_FD.
PROLOGUE = """
    descriptors=${1#--supervisor=}
    ready() { eval "echo >&${descriptors%:*}"; }
    until_lifeline() { eval "read -r _ <&${descriptors#*:}"; }
"""
BEGUN = """
    echo $$ >>"$LOG"
"""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(program_module, "MIN_PAUSE_S", 0.01)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in which each program writes its pid."""
    path = tmp_path / "log"
    path.touch()
    monkeypatch.setenv("LOG", str(path))
    return path


def shell(name: str, script: str) -> Program:
    """A program that is a shell script. Its traps are set before it says that it runs: a signal that
    came earlier would just kill it."""
    traps = re.findall("trap '[^']*' TERM", script)
    begun = "\n".join([PROLOGUE, *traps]) + BEGUN
    return Program(name, ["/bin/bash", "-c", begun + script, name], _pauses=Pauses(0.01))


WAITS = "trap 'exit 0' TERM; ready; while :; do sleep 0.01; done"


@contextlib.contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[None]:
    """Do something in a thread, and then stop the supervisor, which runs in the main thread."""
    is_over = False

    def run() -> None:
        try:
            act()
        finally:
            if not is_over:
                os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over = True
        thread.join()


def runs(log: Path) -> list[int]:
    """The pids of all runs so far."""
    return [int(line) for line in log.read_text().split()]


def wait_for(log: Path, count: int) -> None:
    """Wait until there were so many runs."""
    eventually(lambda: len(runs(log)) >= count, f"never {count} runs")


# -- pauses -------------------------------------------------------------------------


def test_the_pause_doubles_up_to_its_limit() -> None:
    """As long as none runs long enough."""
    pauses = Pauses(0.5)
    assert [pauses.after(SOUND_S - 0.01) for _ in range(9)] == [
        *(0.5, 1, 2, 4, 8, 16),
        *(30, 30, 30),
    ]


def test_a_run_that_was_long_enough_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was wrong then is over."""
    monkeypatch.setattr(program_module, "MIN_PAUSE_S", 0.5)
    pauses = Pauses(0.5)
    assert [pauses.after(ran_s) for ran_s in (0, 0, SOUND_S, 0, 100, 100)] == [
        *(0.5, 1, 0.5, 1),
        *(0.5, 0.5),
    ]


def test_an_end_is_said_in_words() -> None:
    """Exit status, signal, and a signal without a name."""
    assert how_it_ended(3) == "ended with exit status 3"
    assert how_it_ended(-9) == "was killed by SIGKILL"
    assert how_it_ended(-60) == "was killed by signal 60"


# -- programs ------------------------------------------------------------------------


def test_a_stop_reaches_all_and_ends_with_status_0(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is left: no process, no descriptor."""
    before = set(Path("/proc/self/fd").iterdir())
    supervisor = Supervisor([shell("one", WAITS), shell("two", WAITS)], 5)
    with meanwhile(lambda: wait_for(log, 2)):
        assert supervisor.run() == 0
    assert caplog.messages == ["SIGTERM: stopping"]
    assert set(Path("/proc/self/fd").iterdir()) == before
    for pid in runs(log):
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("last_act", "how"),
    [
        ("kill -KILL $$", "was killed by SIGKILL"),
        ("kill -SEGV $$", "was killed by SIGSEGV"),
        ("exit 0", "ended with exit status 0"),
        ("ready; exit 3", "ended with exit status 3"),
    ],
)
def test_what_ends_is_started_again(
    log: Path, caplog: pytest.LogCaptureFixture, last_act: str, how: str
) -> None:
    """Killed or crashed at any time, or failed after it was ready; said in one line each time."""
    ended, restarted = [], []
    program = shell("one", last_act)
    program.ended, program.restarted = lambda: ended.append(1), lambda: restarted.append(1)
    with meanwhile(lambda: wait_for(log, 3)):
        assert Supervisor([program], 5).run() == 0
    assert caplog.messages[:2] == [
        f"one {how}; starting it again in 0.01 s",
        f"one {how}; starting it again in 0.02 s",
    ]
    assert len(ended) == len(runs(log))
    assert len(restarted) == len(ended) - 1


def test_a_failure_before_it_was_ready_ends_all(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With its exit status: that won't get better by itself."""
    programs = [shell("one", WAITS), shell("two", "exit 2")]
    assert Supervisor(programs, 5).run() == 2
    assert caplog.messages == ["two ended with exit status 2 before it was ready: stopping"]


def test_another_rule_may_decide_what_is_hopeless(log: Path) -> None:
    """Workers go on while any of them ever was ready."""
    programs = [shell("one", WAITS), shell("two", "sleep 0.05; exit 2")]

    def check() -> None:
        wait_for(log, 3)
        assert not programs[1].was_ready

    with meanwhile(check):
        assert Supervisor(programs, 5, is_hopeless=lambda _: False).run() == 0


def test_a_program_that_can_not_be_started_counts_as_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the system's reason."""
    assert Supervisor([Program("one", ["/no/such/program"])], 5).run() == 1
    assert caplog.messages[0] == "one can't be started: No such file or directory"


def test_nothing_is_started_after_one_that_ends_all(log: Path) -> None:
    """It would not hear of the stop, and be killed in the end."""
    missing = Program("missing", ["/nonexistent"])
    begun_s = time.monotonic()
    assert Supervisor([missing, shell("one", WAITS)], 5).run() == 1
    assert runs(log) == []
    assert time.monotonic() - begun_s < 2


def test_without_a_descriptor_for_it_a_program_can_not_be_started(
    log: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The others go on, and there may be one again later."""
    pipe, first = os.pipe, shell("one", f"[ $(wc -l <$LOG) = 2 ] || {{ ready; exit 1; }}; {WAITS}")

    def none_left() -> tuple[int, int]:
        monkeypatch.setattr(os, "pipe", pipe)
        raise OSError(errno.ENFILE, "Too many open files in system")

    first.ended = lambda: monkeypatch.setattr(os, "pipe", none_left)
    with meanwhile(lambda: wait_for(log, 2)):
        assert Supervisor([first], 5).run() == 0
    assert "one can't be started: Too many open files in system" in caplog.messages


def test_what_does_not_stop_in_time_is_killed(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And it is said."""
    deaf = shell("deaf", "trap '' TERM; ready; while :; do sleep 0.01; done")
    begun_s = 0.0

    def begin() -> None:
        nonlocal begun_s
        wait_for(log, 2)
        begun_s = time.monotonic()

    with meanwhile(begin):
        assert Supervisor([deaf, shell("two", WAITS)], 0.2).run() == 0
    assert 0.2 <= time.monotonic() - begun_s < 2
    assert caplog.messages == ["SIGTERM: stopping", "deaf did not stop in time: killing it"]


def test_a_second_signal_is_handed_on_and_leaves_less_time(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that is deaf to the first can leave at the second."""
    script = (
        'trap \'trap "exit 0" TERM; echo 0 >>"$LOG"\' TERM; ready; while :; do sleep 0.01; done'
    )

    def signal_twice() -> None:
        wait_for(log, 1)
        os.kill(os.getpid(), signal.SIGINT)
        wait_for(log, 2)
        time.sleep(0.06)  # sooner it would be one wish

    with meanwhile(signal_twice):
        assert Supervisor([shell("one", script)], 60).run() == 0
    assert caplog.messages == ["SIGINT: stopping", "SIGTERM again: stopping immediately"]


def test_one_that_outlives_another_is_asked_to_stop_after_that_ones_end(log: Path) -> None:
    """It finds all that the other one did, and is asked once."""
    last_act = "trap 'sleep 0.05; echo 1 >>\"$LOG\"; exit 0' TERM"
    first = shell("first", f"{last_act}; ready; while :; do sleep 0.01; done")
    second = shell("second", f"{WAITS.replace('exit 0', 'echo 2 >>$LOG; sleep 0.05; exit 0')}")
    second.outlives = first
    with meanwhile(lambda: wait_for(log, 2)):
        assert Supervisor([second, first], 5).run() == 0
    assert runs(log)[2:] == [1, 2]


def test_one_that_outlives_another_is_asked_if_that_one_does_not_run(log: Path) -> None:
    """Be it in a pause."""
    first, second = shell("first", "ready; exit 1"), shell("second", WAITS)
    first._pauses, second.outlives = Pauses(60), first
    with meanwhile(lambda: wait_for(log, 2)):
        assert Supervisor([first, second], 20).run() == 0


def test_one_that_outlives_a_program_that_hangs_has_time_to_stop_too(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked when the other one was killed, and not killed with it."""
    deaf = shell("deaf", "trap '' TERM; ready; while :; do sleep 0.01; done")
    second = shell("two", WAITS)
    second.outlives = deaf
    with meanwhile(lambda: wait_for(log, 2)):
        assert Supervisor([deaf, second], 0.2).run() == 0
    assert caplog.messages == ["SIGTERM: stopping", "deaf did not stop in time: killing it"]


def test_a_second_signal_reaches_one_that_outlives_another_too(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not killed without having been asked."""
    deaf, second = (
        shell("deaf", "trap '' TERM; ready; while :; do sleep 0.01; done"),
        shell("two", WAITS),
    )
    second.outlives = deaf

    def signal_once() -> None:
        wait_for(log, 2)
        os.kill(os.getpid(), signal.SIGINT)
        eventually(lambda: bool(caplog.messages), "no stop")
        time.sleep(0.06)  # sooner it would be one wish

    with meanwhile(signal_once):
        assert Supervisor([deaf, second], 20).run() == 0
    assert caplog.messages[2:] == ["deaf did not stop in time: killing it"]


def test_no_signal_interrupts_what_is_done_at_the_end(log: Path) -> None:
    """Who presses Ctrl-C until the prompt is there finds no traceback, and nothing left."""
    done: list[bool] = []

    def at_end() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        done.append(not any(program.pid for program in programs))

    programs = [shell("one", WAITS)]
    with meanwhile(lambda: wait_for(log, 1)):
        assert Supervisor(programs, 5, at_end=at_end).run() == 0
    assert done == [True]


def test_what_is_deaf_to_a_second_signal_too_is_killed_soon(
    log: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the time for a stop is over."""
    monkeypatch.setattr(keeper, "LEAVE_S", 0.05)

    def signal_once() -> None:
        wait_for(log, 1)
        os.kill(os.getpid(), signal.SIGINT)
        eventually(lambda: bool(caplog.messages), "no stop")
        time.sleep(0.06)  # sooner it would be one wish

    begun_s = time.monotonic()
    with meanwhile(signal_once):
        deaf = shell("deaf", "trap '' TERM; ready; while :; do sleep 0.01; done")
        assert Supervisor([deaf], 20).run() == 0
    assert time.monotonic() - begun_s < 10
    assert caplog.messages[-1] == "deaf did not stop in time: killing it"


def test_an_error_of_the_supervisor_itself_leaves_no_program(log: Path) -> None:
    """Whatever it is."""

    def fail(_: Program) -> bool:
        raise ZeroDivisionError

    programs = [shell("one", WAITS), shell("two", "until [ -s $LOG ]; do :; done; exit 1")]
    with pytest.raises(ZeroDivisionError):
        Supervisor(programs, 5, is_hopeless=fail).run()
    assert [program.pid for program in programs] == [0, 0]


def test_programs_are_in_groups_of_their_own_without_a_terminal(log: Path) -> None:
    """Ctrl-C reaches the supervisor alone, and nobody reads what is typed."""
    found: dict[str, object] = {}

    def look() -> None:
        wait_for(log, 1)
        (pid,) = runs(log)
        found["group"] = os.getpgid(pid) == pid
        found["input"] = str(Path(f"/proc/{pid}/fd/0").readlink())

    with meanwhile(look):
        Supervisor([shell("one", WAITS)], 5).run()
    assert found == {"group": True, "input": "/dev/null"}


def test_a_program_sees_the_end_of_its_supervisor(log: Path, tmp_path: Path) -> None:
    """Of whatever kind it is: the lifeline can be read then, and only then."""
    seen = tmp_path / "seen"
    script = f"ready; until_lifeline; : >{seen}"
    pid = os.fork()
    if pid == 0:
        Supervisor([shell("one", script)], 60).run()
        os._exit(0)
    wait_for(log, 1)
    assert not seen.exists()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    eventually(seen.exists, "the program did not see it")


def test_a_supervisor_above_hears_of_the_first_ready_program_and_its_end_is_a_stop(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As for any program."""
    lifeline_fd, end = os.pipe()
    heard_fd, ready_fd = os.pipe()

    def cut() -> None:
        wait_for(log, 2)
        eventually(lambda: bool(select.select([heard_fd], [], [], 0)[0]), "nobody is ready")
        os.close(end)

    thread = threading.Thread(target=cut)
    thread.start()
    programs = [shell("one", WAITS), shell("two", WAITS)]
    assert Supervisor(programs, 5, above=(ready_fd, lifeline_fd)).run() == 0
    thread.join()
    assert os.read(heard_fd, 9) == b"r"
    for fd in (lifeline_fd, heard_fd, ready_fd):
        os.close(fd)
    assert caplog.messages == ["the supervisor is gone: stopping"]


def test_a_supervisor_above_hears_once_that_a_program_is_ready(log: Path) -> None:
    """A failure after that is one to be started again after, not the end of all."""
    ready_fd, above_fd = os.pipe()
    lifeline_fd, end = os.pipe()
    with meanwhile(lambda: wait_for(log, 2)):
        Supervisor(
            [shell("one", WAITS), shell("two", WAITS)], 5, above=(above_fd, lifeline_fd)
        ).run()
    os.close(above_fd)
    assert os.read(ready_fd, 9) == b"r"
    for fd in (ready_fd, lifeline_fd, end):
        os.close(fd)


HEARS_HANGUPS = f"trap 'echo 0 >>\"$LOG\"' HUP; {WAITS}"


@pytest.mark.parametrize("before", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_hangup_is_handed_on_and_stops_nothing(
    log: Path, caplog: pytest.LogCaptureFixture, before: signal.Handlers
) -> None:
    """Each time; also where it was ignored, as nohup(1) starts programs."""
    former = signal.signal(signal.SIGHUP, before)
    programs = [shell("one", HEARS_HANGUPS), shell("two", HEARS_HANGUPS)]

    def hang_up() -> None:
        eventually(lambda: all(program.was_ready for program in programs), "not ready")
        for heard in (2, 4):
            os.kill(os.getpid(), signal.SIGHUP)
            eventually(lambda: runs(log).count(0) == heard, "not handed on")  # noqa: B023

    try:
        with meanwhile(hang_up):
            assert Supervisor(programs, 5).run() == 0
    finally:
        signal.signal(signal.SIGHUP, former)
    assert caplog.messages == ["SIGTERM: stopping"]
    assert len(runs(log)) == 2 + 4


def test_a_program_that_is_not_ready_gets_a_hangup_as_soon_as_it_is(
    log: Path, tmp_path: Path
) -> None:
    """Before, it may have read its files already and not listen yet: the signal would end it."""
    go = tmp_path / "go"
    late = f"until [ -e {go} ]; do sleep 0.01; done; {HEARS_HANGUPS}"

    def hang_up() -> None:
        wait_for(log, 1)
        os.kill(os.getpid(), signal.SIGHUP)
        go.touch()
        eventually(lambda: runs(log).count(0) == 1, "never handed on")

    with meanwhile(hang_up):
        assert Supervisor([shell("one", late)], 5).run() == 0
    assert len(runs(log)) == 2


def test_a_program_that_has_just_ended_gets_no_hangup(log: Path) -> None:
    """Its process id may be another's by now."""
    program = shell("one", "ready; exit 0")
    lifeline, end = os.pipe()
    try:
        assert program.start(lifeline)
        program.reload()
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        assert program.poll() == 0
    finally:
        os.close(lifeline)
        os.close(end)


def test_one_that_waited_for_another_has_its_pause_like_any_other(log: Path) -> None:
    """The other one is ready for good; this one fails again and again."""
    first, second = shell("first", WAITS), shell("second", "ready; exit 1")
    second.after, second.due_s = first, time.monotonic() + 60
    second._pauses = Pauses(0.3)
    begun_s = time.monotonic()
    with meanwhile(lambda: wait_for(log, 3)):
        assert Supervisor([first, second], 5).run() == 0
    assert time.monotonic() - begun_s >= 0.3


def test_our_own_programs_are_run_from_this_very_copy() -> None:
    """By the path of the file, so that no other copy and no other module can be meant."""
    python, safe, path, *rest = our_command("server", "--port=1")
    assert Path(python).exists()
    assert safe == "-P"
    assert Path(path) == Path(program_module.__file__).parents[1] / "__main__.py"
    assert rest == ["server", "--port=1"]


def test_one_program_may_wait_until_another_is_ready(log: Path, tmp_path: Path) -> None:
    """Or until it is due by itself, if the other one takes too long."""
    seen = tmp_path / "seen"
    first = shell("first", f"sleep 0.05; : >{seen}; {WAITS}")
    second = shell("second", f"[ -e {seen} ] || exit 9; {WAITS}")
    second.after, second.due_s = first, time.monotonic() + 60
    with meanwhile(lambda: wait_for(log, 2)):
        assert Supervisor([first, second], 5).run() == 0
    never = shell("never", "trap 'exit 0' TERM; while :; do sleep 0.01; done")
    third = shell("third", WAITS)
    third.after, third.due_s = never, time.monotonic() + 0.05
    with meanwhile(lambda: wait_for(log, 4)):
        assert Supervisor([never, third], 5).run() == 0
    assert not never.was_ready


class Systemd(Notifier):
    """What systemd hears, in order; each sign of life is due immediately."""

    def __init__(self, every_s: float = math.inf) -> None:
        super().__init__("@nobody" if every_s < math.inf else "", every_s)
        self.heard: list[str] = []

    def _send(self, message: bytes) -> bool:
        self.heard.append(message.decode())
        return True


def test_systemd_hears_that_all_are_ready_and_that_a_stop_has_begun(log: Path) -> None:
    """The last that was waited for makes it ready; one that nobody waits for does not."""
    systemd = Systemd()
    programs = [
        shell("one", WAITS),
        shell("two", WAITS),
        shell("optional", WAITS.replace("ready; ", "")),
    ]

    def is_hopeless(program: Program) -> bool:
        return program is not programs[2] and not program.was_ready

    def check() -> None:
        wait_for(log, 3)
        eventually(lambda: systemd.heard == ["READY=1"], "systemd never heard that they are ready")

    with meanwhile(check):
        assert Supervisor(programs, 5, is_hopeless, notifier=systemd).run() == 0
    assert systemd.heard == ["READY=1", "STOPPING=1"]


def test_systemd_does_not_hear_that_all_are_ready_while_one_is_not(log: Path) -> None:
    """Be the other one ready for long."""
    systemd = Systemd()
    never = shell("never", "trap 'exit 0' TERM; while :; do sleep 0.01; done")
    first = shell("one", WAITS)

    def check() -> None:
        wait_for(log, 2)
        eventually(lambda: first.was_ready, "it was never ready")

    with meanwhile(check):
        assert Supervisor([first, never], 5, notifier=systemd).run() == 0
    assert systemd.heard == ["STOPPING=1"]


def test_the_supervisor_gives_signs_of_life_while_nothing_else_happens(log: Path) -> None:
    """Its own loop turns for them: an hour without an event is no hour without a sign."""
    systemd = Systemd(every_s=0.005)

    def check() -> None:
        wait_for(log, 1)
        eventually(lambda: systemd.heard.count("WATCHDOG=1") > 5, "no signs of life")

    with meanwhile(check):
        assert Supervisor([shell("one", WAITS)], 5, notifier=systemd).run() == 0
    assert systemd.heard.count("READY=1") == 1


# -- programs that hang ---------------------------------------------------------------------

LIVES = "trap 'exit 0' TERM; while :; do ready; sleep 0.01; done"
HANGS = "trap 'exit 0' TERM; ready; while :; do sleep 0.01; done"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second without a sign of life is long."""
    for module in (keeper, program_module):
        monkeypatch.setattr(module, "BEAT_S", 0.1)
        monkeypatch.setattr(module, "HANG_S", 0.5)


def after(condition: Callable[[], object], seconds: float) -> Callable[[], None]:
    """Something to do meanwhile: wait until a condition holds, and then so long."""

    def wait() -> None:
        condition()
        time.sleep(seconds)

    return wait


@pytest.mark.usefixtures("quick")
def test_a_program_that_hangs_is_killed_and_started_again(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One that says that it lives, or that never said anything, is left alone."""
    silent = shell("silent", "trap 'exit 0' TERM; while :; do sleep 0.01; done")
    hung = shell("hung", f"[ $(wc -l <$LOG) = 4 ] && {{ {LIVES}; }}; {HANGS}")
    restarts: list[int] = []
    hung.restarted = lambda: restarts.append(1)
    begun_s = time.monotonic()
    with meanwhile(after(lambda: wait_for(log, 4), 0.7)):
        assert Supervisor([shell("lives", LIVES), silent, hung], 5).run() == 0
    assert time.monotonic() - begun_s > 0.5
    assert (len(runs(log)), len(restarts)) == (4, 1)
    assert caplog.messages == [
        "hung has shown no sign of life for 0.5 s: killing it",
        "hung was killed by SIGKILL; starting it again in 0.01 s",
        "SIGTERM: stopping",
    ]


@pytest.mark.usefixtures("quick")
def test_a_program_that_was_stopped_is_left_alone_and_has_all_its_time_afterwards(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever stopped it (SIGSTOP, a debugger) knows why."""

    def stop_for_a_while() -> None:
        wait_for(log, 1)
        time.sleep(0.2)
        (pid,) = runs(log)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(1)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.3)

    with meanwhile(stop_for_a_while):
        assert Supervisor([shell("lives", LIVES)], 5).run() == 0
    assert caplog.messages == ["SIGTERM: stopping"]


@pytest.mark.usefixtures("quick")
def test_a_supervisor_that_stood_still_blames_nobody(
    log: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the programs may have stood still as well, as in a container that was paused."""
    pauses = [2.0]
    reap = Supervisor._reap

    def stands_still(supervisor: Supervisor) -> None:
        if any(program.heard_s for program in supervisor._programs) and pauses:
            (pid,) = runs(log)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.8)
            os.kill(pid, signal.SIGCONT)
            pauses.pop()
        reap(supervisor)

    monkeypatch.setattr(Supervisor, "_reap", stands_still)
    with meanwhile(after(lambda: eventually(lambda: not pauses, "no pause"), 0.3)):
        assert Supervisor([shell("lives", LIVES)], 5).run() == 0
    assert caplog.messages == ["SIGTERM: stopping"]


@pytest.mark.usefixtures("quick")
def test_a_supervisor_above_hears_again_and_again_that_this_one_lives(log: Path) -> None:
    """Also while none of the programs does."""
    ready_fd, above_fd = os.pipe()
    lifeline_fd, end = os.pipe()
    once = shell("once", "ready; exit 1")
    once._pauses = Pauses(60)
    with meanwhile(after(lambda: wait_for(log, 1), 0.55)):
        Supervisor([once], 5, above=(above_fd, lifeline_fd)).run()
    os.close(above_fd)
    assert 4 <= len(os.read(ready_fd, 99)) <= 7
    for fd in (ready_fd, lifeline_fd, end):
        os.close(fd)


def test_a_process_that_has_just_ended_is_not_stopped() -> None:
    """There is nothing to read of it."""
    assert not program_module._is_stopped(2**22 + 1)
