"""argv and environment → settings, or one line."""

import re
from collections.abc import Mapping, Sequence

import pytest

from tests.helpers.fake_devices import one_line
from tests.helpers.processes import python
from trio_mpu import __version__
from trio_mpu.__main__ import COMMANDS, name_of, run
from trio_mpu.errors import UsageError
from trio_mpu.options import options_of, parse
from trio_mpu.settings import (
    CalibrateSettings,
    ProducerSettings,
    RecordSettings,
    ServerSettings,
    StartSettings,
)

KINDS: dict[str, type] = {
    "calibrate": CalibrateSettings,
    "producer": ProducerSettings,
    "record": RecordSettings,
    "server": ServerSettings,
    "start": StartSettings,
}


def main(program: str, argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a sub-command."""
    (command,) = (each for each in COMMANDS if name_of(each) == program)
    return run(command, argv, environ)


def value(argv: list[str], name: str, environ: Mapping[str, str] | None = None) -> object:
    """What an option is set to."""
    options = parse(StartSettings, "program", "It does.", argv, environ or {})
    return getattr(options, name)


def refusal(*argv: str, environ: Mapping[str, str] | None = None) -> str:
    """The line that says what is wrong."""
    with pytest.raises(UsageError) as caught:
        parse(StartSettings, "program", "It does.", argv, environ or {})
    return one_line(caught.value)


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("device", "auto"),
        ("rate", 100.0),
        ("calibration", ""),
        ("attitude", "on"),
        ("capacity", 65_536),
        ("store", ""),
        ("keep", ""),
        ("ring", "data_buffer"),
        ("host", ""),
        ("port", 3737),
        ("max_clients", 2000),
        ("max_clients_per_address", 0),
        ("workers", 1),
        ("allow_origin", ""),
        ("allow_host", ""),
        ("token_file", ""),
        ("log_level", "info"),
        ("log_format", "text"),
    ],
)
def test_every_option_has_its_documented_default(name: str, default: object) -> None:
    """Without arguments and environment."""
    assert value([], name) == default


GOOD = [
    ("device", "sim:seed=1,fault=burst", "sim:seed=1,fault=burst"),
    ("device", "-weird", "-weird"),
    ("rate", "0.1", 0.1),
    ("rate", "8000", 8000.0),
    ("rate", "12.5", 12.5),
    ("rate", "1e3", 1000.0),
    ("calibration", "none", "none"),
    ("calibration", "a dir/ä.toml", "a dir/ä.toml"),
    ("attitude", "on", "on"),
    ("attitude", "off", "off"),
    ("capacity", "2", 2),
    ("capacity", "16777216", 2**24),
    ("store", "~/a folder/history.db", "~/a folder/history.db"),
    ("keep", "2GB,30d", "2GB,30d"),
    ("ring", "a", "a"),
    ("ring", "My_ring-2.b", "My_ring-2.b"),
    ("ring", "_" * 64, "_" * 64),
    ("ring", "semaphore", "semaphore"),
    ("host", "::1", "::1"),
    ("host", "[::1]", "::1"),
    ("host", "fe80::1%eth0", "fe80::1%eth0"),
    ("host", "sensor.example", "sensor.example"),
    ("port", "0", 0),
    ("port", "65535", 65535),
    ("max-clients", "1", 1),
    ("max-clients", "100000", 100_000),
    ("max-clients-per-address", "0", 0),
    ("max-clients-per-address", "100000", 100_000),
    ("workers", "1", 1),
    ("workers", "64", 64),
    ("allow-origin", "*", "*"),
    ("allow-origin", "null", "null"),
    ("allow-origin", "http://board.example:8080", "http://board.example:8080"),
    ("allow-origin", "https://[::1]:3737", "https://[::1]:3737"),
    ("allow-host", "*", "*"),
    ("allow-host", "imu.example", "imu.example"),
    ("allow-host", "imu.example,Board.local", "imu.example,Board.local"),
    ("token-file", "~/my tokens", "~/my tokens"),
    ("log-level", "debug", "debug"),
    ("log-level", "error", "error"),
    ("log-format", "text", "text"),
    ("log-format", "json", "json"),
]
BAD = [
    *(("rate", text) for text in ("nan", "inf", "-inf", "0", "-1", "0.09", "8001", "1e9", "", "x")),
    *(("capacity", text) for text in ("1", "0", "-2", "16777217", "2.5", "1e4", "", "9" * 5000)),
    *(("attitude", text) for text in ("", "1", "On", "no")),
    *(("calibration", text) for text in ("a\nb", "a\x1bb", "\udcff")),
    *(("store", text) for text in ("a\nb", "\udcff")),
    *(("port", text) for text in ("70000", "65536", "-1", "http", "80.0", "", "nan")),
    *(("max-clients", text) for text in ("0", "100001", "-5", "many", "")),
    *(("max-clients-per-address", text) for text in ("-1", "100001", "all")),
    *(("allow-host", text) for text in ("a:80", "a, b", "a,", ",", "*,a", "http://a", "bücher.de")),
    *(("token-file", text) for text in ("a\nb", "\udcff")),
    *(("workers", text) for text in ("0", "65", "-1", "2.5", "all", "")),
    *(("ring", text) for text in ("../x", "/x", "a/b", ".", "..", ".x", "-x", "", "a b", "é")),
    *(("ring", text) for text in ("_" * 65, "a\nb", "a\0b", "x\n", "sem.a", "sem.a_sem")),
    *(("host", text) for text in ("a" * 64, "a..b", "bücher.example", "☃", "\udcff", "٣.1")),
    *(
        ("allow-origin", text)
        for text in ("example", "ftp://a", "http://", "http://a/b", "http://a,b")
    ),
    *(("log-level", text) for text in ("loud", "INFO", "", "deb", "a\nb")),
    *(("log-format", text) for text in ("xml", "JSON", "", "te", "a\nb")),
]


@pytest.mark.parametrize(("name", "text", "expected"), GOOD)
def test_a_good_value_is_taken_from_the_command_line_and_the_environment(
    name: str, text: str, expected: object
) -> None:
    """The same text means the same in both places."""
    attribute, variable = name.replace("-", "_"), "TRIO_MPU_" + name.upper().replace("-", "_")
    assert value([f"--{name}={text}"], attribute) == expected
    assert value([], attribute, {variable: text}) == expected


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_bad_value_is_one_line_that_names_where_it_stands(name: str, text: str) -> None:
    """Option or variable, and what would have been right; an empty variable counts as none."""
    variable = "TRIO_MPU_" + name.upper().replace("-", "_")
    message = refusal_of_any_length(f"--{name}={text}")
    assert f"--{name}" in message
    assert "TRIO_MPU" not in message
    if text:
        message = refusal_of_any_length(environ={variable: text})
        assert message.startswith(f"{variable}: ")
    else:
        assert value([], name.replace("-", "_"), {variable: text}) is not None


def refusal_of_any_length(*argv: str, environ: Mapping[str, str] | None = None) -> str:
    """As refusal(), for values that are quoted in full."""
    with pytest.raises(UsageError) as caught:
        parse(StartSettings, "program", "It does.", argv, environ or {})
    message = str(caught.value)
    assert message.isprintable()
    return message


def test_a_number_out_of_range_is_told_its_range() -> None:
    """Both ends, and the kind of number."""
    assert "'70000' is not a whole number from 0 to 65,535" in refusal("--port", "70000")
    assert "'nan' is not a number from 0.1 to 8,000" in refusal("--rate", "nan")


def test_the_command_line_comes_before_the_environment_and_the_last_before_the_first() -> None:
    """The nearer to the hand, the stronger."""
    environ = {"TRIO_MPU_PORT": "1", "TRIO_MPU_HOST": "", "TRIO_MPU_OTHER": "x", "PORT": "9"}
    assert value([], "port", environ) == 1
    assert value(["--port", "2"], "port", environ) == 2
    assert value(["--port=2", "--port=3"], "port", environ) == 3
    assert value([], "host", environ) == ""
    assert value(["--host", "::"], "port", environ) == 1


def test_a_bad_variable_is_told_even_if_the_command_line_has_the_option() -> None:
    """It is wrong all the same, and would be found out at the next start."""
    assert "TRIO_MPU_PORT" in refusal("--port=1", environ={"TRIO_MPU_PORT": "x"})


def test_a_variable_of_the_other_program_does_not_matter() -> None:
    """One environment serves both programs."""
    options = parse(ProducerSettings, "producer", "", [], {"TRIO_MPU_PORT": "x"})
    assert not hasattr(options, "port")


@pytest.mark.parametrize(
    "argv",
    [
        ["--nope"],
        ["--nope=1"],
        ["stray"],
        ["--po", "1"],
        ["--max", "1"],
        ["--log", "info"],
        ["--port"],
        ["-p", "1"],
        ["--", "x"],
        ["a\nb\x85c\u2028d"],
    ],
)
def test_what_is_no_option_is_refused(argv: list[str]) -> None:
    """Abbreviations too: they would change their meaning when options are added."""
    assert "--help" in refusal(*argv)


def test_help_lists_every_option_with_its_default(capfd: pytest.CaptureFixture[str]) -> None:
    """And nothing is run: status 0."""
    for program, kind in KINDS.items():
        with pytest.raises(SystemExit) as caught:
            main(program, ["--help"], {})
        assert caught.value.code == 0
        shown = capfd.readouterr()
        assert shown.err == ""
        for name in options_of(kind):
            assert re.search(rf"^  --{name} ", shown.out, re.MULTILINE)
        assert "data_buffer" in shown.out


@pytest.mark.parametrize("name", ["worker", "supervisor"])
def test_what_a_supervisor_says_is_not_for_people(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither the help nor the environment has it; two numbers or none."""
    environ = {f"TRIO_MPU_{name.upper()}": "0:3"}
    assert getattr(parse(ServerSettings, "server", "", [], environ), name) is None
    assert getattr(parse(ServerSettings, "server", "", [f"--{name}=1:20"], {}), name) == (1, 20)
    for text in ("", "1", "1:", "a:b", "-1:2", "1:2:3", "1:9999999999"):
        with pytest.raises(UsageError, match=f"--{name}"):
            parse(ServerSettings, "server", "", [f"--{name}={text}"], {})
    with pytest.raises(SystemExit):
        parse(ServerSettings, "server", "", ["--help"], {})
    assert f"--{name} " not in capfd.readouterr().out
    assert name not in options_of(ServerSettings)


def test_the_calibrations_options() -> None:
    """A number of seconds, a file, and two that take no value and are never taken from the
    environment, since they are of one run."""
    environ = {"TRIO_MPU_SECONDS": "30", "TRIO_MPU_POSITIONS": "1", "TRIO_MPU_SELF_TEST": "1"}
    options = parse(CalibrateSettings, "calibrate", "", ["--output=a b.toml"], environ)
    assert (options.seconds, options.output) == (30, "a b.toml")
    assert (options.positions, options.self_test) == (False, False)
    options = parse(CalibrateSettings, "calibrate", "", ["--positions", "--self-test"], {})
    assert (options.seconds, options.output) == (10, "")
    assert (options.positions, options.self_test) == (True, True)
    for wrong in ("--seconds=0.9", "--seconds=86401", "--seconds=nan", "--output=a\nb"):
        with pytest.raises(UsageError, match=wrong.partition("=")[0]):
            parse(CalibrateSettings, "calibrate", "", [wrong], {})
    for wrong in ("--positions=1", "--self-test=no"):
        with pytest.raises(UsageError, match="ignored explicit argument"):
            parse(CalibrateSettings, "calibrate", "", [wrong], {})


@pytest.mark.parametrize("program", KINDS)
@pytest.mark.parametrize(
    ("argv", "environ", "message"),
    [
        (["--ring=../x"], {}, "'../x' is no name"),
        (["--nope"], {}, "unrecognized arguments: --nope"),
        ([], {"TRIO_MPU_LOG_LEVEL": "x"}, "TRIO_MPU_LOG_LEVEL: argument --log-level"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(
    program: str,
    argv: list[str],
    environ: dict[str, str],
    message: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """On standard error, with the program's name before it."""
    assert main(program, argv, environ) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    [line] = shown.err.splitlines()
    assert line.startswith(f"{program}: ")
    assert message in line


@pytest.mark.parametrize(
    ("command", "program"),
    [
        (["producer_main.py"], "producer"),
        (["server_main.py"], "server"),
        (["-m", "trio_mpu", "start"], "start"),
        (["-m", "trio_mpu", "calibrate"], "calibrate"),
        (["-P", "trio_mpu/__main__.py", "server"], "server"),
    ],
)
def test_a_real_process_says_the_same(command: list[str], program: str) -> None:
    """However it is run: one line, status 2, no traceback; the environment is looked at."""
    with python(*command, environ={"TRIO_MPU_RING": "a/b"}) as process:
        out, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith(f"{program}: TRIO_MPU_RING: argument --ring: 'a/b' is no name")


@pytest.mark.parametrize(
    ("argv", "status", "out", "err"),
    [
        (["--version"], 0, f"trio-mpu {__version__}\n", ""),
        ([], 2, "", "trio-mpu: the following arguments are required: COMMAND"),
        (["stop"], 2, "", "trio-mpu: argument COMMAND: invalid choice: 'stop'"),
        (["--port=1"], 2, "", "trio-mpu: "),
    ],
)
def test_the_command_by_itself(argv: list[str], status: int, out: str, err: str) -> None:
    """Its version, or one line that names the sub-commands."""
    with python("-m", "trio_mpu", *argv) as process:
        found_out, found_err = process.communicate(timeout=30)
    assert (process.returncode, found_out) == (status, out)
    assert found_err.startswith(err)
    assert len(found_err.splitlines()) == bool(err)
