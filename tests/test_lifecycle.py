"""Signals → cancellation, errors → exit statuses; and the two mains."""

import contextlib
import gc
import logging
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from trio_mpu import lifecycle
from trio_mpu.__main__ import producer, run, server
from trio_mpu.errors import DeviceError, RingError, UsageError
from trio_mpu.producer import run as producer_run
from trio_mpu.producer.run import run_producer
from trio_mpu.server import run as server_run
from trio_mpu.settings import ProducerSettings, ServerSettings

Ready = Callable[[], None]


def send(number: signal.Signals) -> None:
    """Send this process a signal."""
    os.kill(os.getpid(), number)


async def stoppable(stop: trio.Event, _ready: Ready) -> None:
    """A program that ends when it is asked to."""
    await stop.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_the_program_to_stop(
    number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    """It has the time that it needs for its goodbye, and the exit status is 0."""
    caplog.set_level(logging.INFO)
    said: list[str] = []

    async def program(stop: trio.Event, _ready: Ready) -> None:
        send(number)
        await stop.wait()
        await trio.sleep(0.005)
        said.append("goodbye")

    assert lifecycle.run("test", "info", program) == 0
    assert said == ["goodbye"]
    assert caplog.messages == [f"{number.name}: stopping"]


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_leaves_at_once(
    second: signal.Signals, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that doesn't find its end is cancelled."""
    monkeypatch.setattr(lifecycle, "ONE_WISH_S", 0.0)
    cancelled: list[bool] = []

    async def program(stop: trio.Event, _ready: Ready) -> None:
        try:
            send(signal.SIGTERM)
            await stop.wait()
            send(second)
            await trio.sleep_forever()
        finally:
            cancelled.append(True)

    assert lifecycle.run("test", "info", program) == 0
    assert cancelled == [True]
    assert caplog.messages == [f"{second.name} again: stopping immediately"]


def test_two_signals_at_once_are_one_wish(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As timeout(1) sends them: the program still has time for its goodbye."""
    # On a busy machine there may be more between the two than ONE_WISH_S.
    monkeypatch.setattr(lifecycle, "ONE_WISH_S", 60.0)
    said: list[str] = []

    async def program(stop: trio.Event, _ready: Ready) -> None:
        send(signal.SIGTERM)
        await stop.wait()
        send(signal.SIGTERM)
        await trio.sleep(0.005)
        said.append("goodbye")

    assert lifecycle.run("test", "info", program) == 0
    assert said == ["goodbye"]
    assert caplog.messages == []


def test_a_hangup_ends_nothing() -> None:
    """A program that has nothing to read again goes on as if there had been no signal; what the signal
    means otherwise, it means again afterwards."""
    hung_up: list[bool] = []
    otherwise: list[int] = []

    async def program(stop: trio.Event, _ready: Ready) -> None:
        send(signal.SIGHUP)
        await trio.sleep(0.005)
        hung_up.append(stop.is_set())

    before = signal.signal(signal.SIGHUP, lambda number, _: otherwise.append(number))
    try:
        assert lifecycle.run("test", "info", program) == 0
        assert (hung_up, otherwise) == ([False], [])
        send(signal.SIGHUP)
        assert otherwise == [signal.SIGHUP]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_program_that_ends_by_itself_has_status_0() -> None:
    """Nothing waits for a signal then, and signals have their old meaning again."""

    async def program(_: trio.Event, _ready: Ready) -> None:
        await trio.lowlevel.checkpoint()

    handler = signal.getsignal(signal.SIGTERM)
    assert lifecycle.run("test", "info", program) == 0
    assert signal.getsignal(signal.SIGTERM) == handler


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DeviceError("no sensor"), 1),
        (RingError("no ring"), 1),
        (UsageError("no option"), 2),
    ],
)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_an_error_that_was_foreseen_is_one_line(
    error: Exception, status: int, depth: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """Out of however many nurseries it comes; the status tells usage from failure."""

    async def program(_: trio.Event, _ready: Ready) -> None:
        await fail(depth)

    async def fail(depth: int) -> None:
        if depth == 0:
            raise error
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail, depth - 1)

    assert lifecycle.run("test", "info", program) == status
    assert capfd.readouterr().err == f"test: {error}\n"


def test_of_several_foreseen_errors_the_first_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """One line, not a tree."""

    async def program(_: trio.Event, _ready: Ready) -> None:
        raise ExceptionGroup("", [DeviceError("first"), ExceptionGroup("", [UsageError("second")])])

    assert lifecycle.run("test", "info", program) == 1
    assert capfd.readouterr().err == "test: first\n"


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("a mistake"),
        ExceptionGroup("", [DeviceError("no sensor"), ZeroDivisionError("a mistake")]),
        SystemExit(3),
    ],
)
def test_an_error_that_nobody_foresaw_keeps_its_traceback(
    error: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also beside a foreseen one: it is a mistake of ours, and to be found."""

    async def program(_: trio.Event, _ready: Ready) -> None:
        raise error

    with pytest.raises((type(error), BaseExceptionGroup)):
        lifecycle.run("test", "info", program)
    assert capfd.readouterr().err == ""


def test_ctrl_c_before_anything_runs_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the moment before the signals are looked after, Python raises KeyboardInterrupt."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trio, "run", interrupted)
    assert lifecycle.run("test", "info", stoppable) == 0


async def test_a_scope_is_cancelled_at_the_event(autojump_clock: MockClock) -> None:
    """And not before."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lifecycle.cancel_at, stop, nursery.cancel_scope)
        await trio.sleep(5)
        assert not nursery.cancel_scope.cancel_called
        nursery.start_soon(trio.sleep_forever)
        stop.set()
    assert trio.current_time() == 5


@pytest.mark.parametrize(
    ("soft", "hard", "clients", "expected"),
    [
        (256, 4096, 1000, 1000 + lifecycle.SPARE_DESCRIPTORS),
        (256, 512, 1000, 512),
        (256, resource.RLIM_INFINITY, 5000, 5000 + lifecycle.SPARE_DESCRIPTORS),
        (4096, 4096, 1000, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 1000, None),
    ],
)
def test_the_limit_on_open_files_is_raised_as_far_as_needed(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, clients: int, expected: int | None
) -> None:
    """To a descriptor for each client and some to spare, never over the hard limit, never
    lower."""
    calls: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda *call: calls.append(call))
    lifecycle.allow_descriptors(clients)
    wanted = [] if expected is None else [(resource.RLIMIT_NOFILE, (expected, hard))]
    assert calls == wanted


# -- the mains ----------------------------------------------------------------------------------


def test_the_producer_is_stopped_by_a_signal(
    ring_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the command line's options to a ring with samples, and status 0."""

    async def hurry() -> None:
        await trio.sleep(0.005)
        send(signal.SIGTERM)

    async def start(settings: ProducerSettings, *, task_status: trio.TaskStatus[None]) -> None:
        assert (settings.device, settings.rate, settings.capacity) == ("sim:seed=9", 500, 32)
        assert (settings.ring, settings.calibration) == (ring_name, "none")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hurry)
            await run_producer(settings, task_status=task_status)

    monkeypatch.setattr(producer_run, "run_producer", start)
    argv = ["--device=sim:seed=9", "--rate=500", f"--ring={ring_name}", "--capacity=32"]
    argv += ["--calibration=none"]
    assert run(producer, argv, {}) == 0
    assert Path(f"/dev/shm/{ring_name}").stat().st_size == 1024 + 32 * 96


@pytest.mark.parametrize(
    ("spec", "status", "message"),
    [
        ("/nowhere/at/all", 1, "can't read /nowhere/at/all: No such file or directory"),
        ("sim:fault=fire", 2, "unknown sim option 'fault=fire'"),
        ("replay:/nowhere", 2, "can't read the recording /nowhere"),
        ("nothing", 2, "'nothing' is not a device"),
    ],
)
def test_a_producer_without_a_device_says_why_and_leaves_nothing(
    ring_name: str, spec: str, status: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line, the status, and no ring that nobody writes."""
    assert run(producer, ["--device", spec, "--ring", ring_name], {}) == status
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(f"producer: {message}")
    assert not Path(f"/dev/shm/{ring_name}").exists()


def test_the_server_is_given_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors are asked for before anything runs."""
    calls: list[object] = []

    async def run_server(
        settings: ServerSettings, stop: trio.Event, *, task_status: trio.TaskStatus[None]
    ) -> None:
        await trio.lowlevel.checkpoint()
        calls.append((settings.host, settings.port, settings.ring, settings.max_clients))
        task_status.started()

    monkeypatch.setattr(server_run, "run_server", run_server)
    monkeypatch.setattr(lifecycle, "allow_descriptors", calls.append)
    monkeypatch.setattr(lifecycle, "look_for_garbage_rarely", lambda: None)
    assert run(server, ["--max-clients=5", "--ring=r"], {"TRIO_MPU_PORT": "80"}) == 0
    assert run(server, ["--host=::1", "--log-level=debug"], {}) == 0
    assert calls == [5, ("", 80, "r", 5), 2000, ("::1", 3737, "data_buffer", 2000)]


def test_a_server_s_clients_wait_for_no_look_through_old_objects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before it serves, and not in this process for ever."""
    thresholds: list[tuple[int, int, int]] = []

    async def run_server(
        settings: ServerSettings, stop: trio.Event, *, task_status: trio.TaskStatus[None]
    ) -> None:
        await trio.lowlevel.checkpoint()
        thresholds.append(gc.get_threshold())
        task_status.started()

    monkeypatch.setattr(server_run, "run_server", run_server)
    before = gc.get_threshold()
    try:
        assert run(server, [], {}) == 0
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
    assert thresholds == [lifecycle.GARBAGE_THRESHOLDS]


@pytest.mark.parametrize("together", [[], [RingError("there is no ring")]])
def test_a_program_without_memory_ends_in_one_line(
    capfd: pytest.CaptureFixture[str], together: list[Exception]
) -> None:
    """It is no defect, and its supervisor starts it again."""

    async def program(_stop: trio.Event, _ready: Ready) -> None:
        raise ExceptionGroup("", [MemoryError(), *together])

    assert lifecycle.run("test", "info", program) == 1
    assert capfd.readouterr().err == "test: no memory left\n"


# -- under a supervisor ---------------------------------------------------------------------------


def test_the_supervisor_hears_that_a_program_is_ready_and_its_end_stops_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One byte for ready; nobody writes to the lifeline, so when it can be read, it is closed."""
    ready_fd, ready_end = os.pipe()
    lifeline_fd, lifeline_end = os.pipe()
    said: list[bytes] = []

    async def program(stop: trio.Event, ready: Ready) -> None:
        ready()
        said.append(os.read(ready_fd, 9))
        await trio.testing.wait_all_tasks_blocked()
        assert not stop.is_set()
        os.close(lifeline_end)
        await stop.wait()

    assert lifecycle.run("test", "info", program, (ready_end, lifeline_fd)) == 0
    assert said == [b"r"]
    assert caplog.messages == ["the supervisor is gone: stopping"]
    os.close(ready_fd)
    os.close(lifeline_fd)


def test_the_supervisor_hears_again_and_again_that_the_event_loop_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From when the program is ready on; one that does not listen keeps nobody waiting."""
    monkeypatch.setattr(lifecycle, "BEAT_S", 0.001)
    ready_fd, ready_end = os.pipe()
    lifeline_fd, lifeline_end = os.pipe()
    os.set_blocking(ready_fd, False)

    async def program(_stop: trio.Event, ready: Ready) -> None:
        await trio.sleep(0.005)
        with pytest.raises(BlockingIOError):
            os.read(ready_fd, 1)
        ready()
        for _ in range(3):
            while True:
                with contextlib.suppress(BlockingIOError):
                    assert set(os.read(ready_fd, 99)) == {ord("r")}
                    break
                await trio.sleep(0.001)
        with contextlib.suppress(BlockingIOError):
            while os.write(ready_end, bytes(4096)):
                pass
        await trio.sleep(0.005)

    assert lifecycle.run("test", "info", program, (ready_end, lifeline_fd)) == 0
    for fd in (ready_fd, ready_end, lifeline_fd, lifeline_end):
        os.close(fd)


def test_descriptors_that_no_supervisor_gave_are_refused(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Who starts a program by hand with them is told so."""
    assert lifecycle.run("test", "info", stoppable, (1000, 1001)) == 2
    assert capfd.readouterr().err == "test: --supervisor is internal; use trio-mpu start\n"
