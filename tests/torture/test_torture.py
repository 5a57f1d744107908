"""The short forms of the tortures; the long ones are run by hand, as their modules say."""

import pytest

from tests.helpers.processes import killed, python
from tests.torture.chip_torture import main


@pytest.mark.timeout(180)  # 2 s of work, which a busy machine may take long for
def test_random_faults_of_a_chip_make_no_wrong_frame(capsys: pytest.CaptureFixture[str]) -> None:
    """Of 100 chips, each with other faults, every reading is given out or told to be lost."""
    status = main(["--sequences", "100", "--seed", "0"])
    report = capsys.readouterr().out
    assert status == 0, report
    assert "seed 0: 100 sequences" in report
    assert "wrong frames          0" in report
    figures = dict(line.split("  ", 1) for line in report.splitlines() if "frames" in line)
    assert int(figures["frames delivered"]) > 5_000
    assert int(figures["frames lost and told"].partition(",")[0]) > 500


def test_a_torture_without_a_sequence_shows_nothing() -> None:
    """Its exit status says so."""
    assert main(["--sequences", "0", "--seed", "0"]) == 1


@pytest.mark.timeout(180)
def test_power_cuts_at_random_instants_leave_a_sound_file() -> None:
    """What the recorder had written is there, and it goes on: also where old samples are deleted."""
    arguments = ("-m", "tests.torture.power_torture", "--seconds", "12")
    with killed(python(*arguments)) as torture:
        report, complaints = torture.communicate(timeout=170)
    assert torture.returncode == 0, report + complaints
    assert report.count(" power cuts, 0 complaints") == 2


@pytest.mark.timeout(180)
def test_the_recorders_file_has_each_sample_once_or_in_a_gap() -> None:
    """Recorder, producer and server are killed; once the recorder is away for too long."""
    numbers = {
        "seconds": 20,
        "clients": 10,
        "kills": 15,
        "producer-kills": 2,
        "server-kills": 2,
        "outages": 1,
        "capacity": 4096,
    }
    options = [f"--{name}={number}" for name, number in numbers.items()]
    with killed(python("-m", "tests.torture.record_torture", *options)) as torture:
        report, complaints = torture.communicate(timeout=170)
    assert torture.returncode == 0, report + complaints
    figures = dict(line.split("  ", 1) for line in report.splitlines() if "  " in line)
    assert int(figures["samples in the file"]) > 5_000
    assert "record 15" in figures["kills"]


@pytest.mark.timeout(120)
def test_kills_at_random_instants_tear_nothing() -> None:
    """Writer, readers, producer and server are killed 100 times, at any instant."""
    with killed(python("-m", "tests.torture.kill_torture", "--kills", "100")) as torture:
        report, complaints = torture.communicate(timeout=100)
    assert torture.returncode == 0, report + complaints
    assert report.count("50 kills") == 2


@pytest.mark.timeout(240)
def test_clients_miss_nothing_untold_while_every_program_is_killed() -> None:
    """Producer, server, recorder and a reader are killed 100 times under ten clients."""
    arguments = ("-m", "tests.torture.clients_torture", "--kills", "100", "--clients", "10")
    with killed(python(*arguments)) as torture:
        report, complaints = torture.communicate(timeout=220)
    assert torture.returncode == 0, report + complaints
    assert "no complaints" in report


@pytest.mark.timeout(600)  # half a minute of work, which a busy machine may take long for
def test_all_orders_of_the_rings_participants_within_wider_limits() -> None:
    """With more kills and preemptions than the fast test has time for."""
    with killed(python("-m", "tests.schedules", "--effort", "all")) as schedules:
        report, complaints = schedules.communicate(timeout=590)
    assert schedules.returncode == 0, report + complaints
    assert report.count("all good") == 10
