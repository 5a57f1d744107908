"""A table of foreign, damaged and truncated logs, each with the options that it is imported with."""

import gzip
import shlex
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from tests.importing import logs
from tests.importing.logs import UNIX_NS

NAMED: Final = "--time ms:ms --accel g:ax,ay,az --gyro dps:gx,gy,gz --temp c:temp"
DATED: Final = "--time iso:when --accel g:ax,ay,az --gyro dps:gx,gy,gz --temp c:temp"
BY_NUMBER: Final = "--time ms:1 --accel lsb:16384:2,3,4 --gyro lsb:131:5,6,7 --temp none"
PLOTTED: Final = "--time rate:100 --accel g:ax,ay,az --gyro dps:gx,gy,gz --temp none"


class Case(NamedTuple):
    """A log, what it is, and its options, joined by blanks. `start_ns` is when its motion begins;
    `exact` how far its values may be off, in g and °/s."""

    what: str
    data: bytes
    options: str
    start_ns: int = 0
    exact: float = 2e-6

    @property
    def shown(self) -> str:
        """The options as a person types them; those that most cases have are left out."""
        return "" if self.options == NAMED else shlex.join(self.argv)

    @property
    def argv(self) -> list[str]:
        """The options as a shell would pass them: those of the tests have ~ for a blank."""
        return [word.replace("~", " ") for word in self.options.split()]


def case(what: str, text: str, options: str, start_ns: int = 0, exact: float = 2e-6) -> Case:
    return Case(what, text.encode(), options, start_ns, exact)


def edited(text: str, edit: Callable[[list[str]], Sequence[str]]) -> str:
    """The log with its lines changed."""
    return "\n".join(edit(text.split("\n")))


def replaced(number: int, old: str, new: str) -> Callable[[list[str]], list[str]]:
    """Change something in the line with this number."""

    def edit(lines: list[str]) -> list[str]:
        assert old in lines[number - 1], lines[number - 1]
        changed = lines[number - 1].replace(old, new, 1)
        return [*lines[: number - 1], changed, *lines[number:]]

    return edit


GENERIC: Final = logs.generic()
ROW_150: Final = GENERIC.split("\n")[150]  # the line 151, of 1.49 s
TIME_150: Final = ROW_150.split(",")[0]
AX_150: Final = ROW_150.split(",")[1]

FOREIGN: Final = [
    Case("a compressed log", gzip.compress(GENERIC.encode(), mtime=0), NAMED),
    case("phyphox", logs.phyphox(), "--preset phyphox"),
    case("phyphox, semicolons and commas", logs.phyphox_with_commas(), "--preset phyphox"),
    case("Physics Toolbox", logs.physics_toolbox(), "--preset physics-toolbox"),
    case("Sensor Logger", logs.sensor_logger(), "--preset sensor-logger", UNIX_NS),
    case("WitMotion, over midnight", logs.witmotion(), "--preset witmotion", 86_399 * 10**9),
    Case(
        "WitMotion, in the encoding of Windows",
        logs.witmotion().encode("cp1252"),
        "--preset witmotion",
        86_399 * 10**9,
    ),
    case("WitMotion, dated", logs.witmotion_dated(), "--preset witmotion-dated", UNIX_NS),
    case("OpenLog Artemis", logs.artemis(), "--preset artemis-mdy", UNIX_NS),
    case("EuRoC", logs.euroc(), "--preset euroc", UNIX_NS),
    case("ROS", logs.ros(), "--preset ros", UNIX_NS),
    case("Klipper", logs.klipper(), "--preset klipper", 5 * 10**12),
    case("i2cdevlib, raw counts, tabs, no header", logs.raw_counts(), BY_NUMBER, 0, 4e-3),
    case(
        "Adafruit's library, no header",
        logs.adafruit(),
        "--time ms:1 --accel mss:2,3,4 --gyro rads:5,6,7 --temp none",
    ),
    case("Arduino serial plotter, names", logs.plotter(), PLOTTED),
    case(
        "Arduino serial plotter, blanks",
        logs.plotter_blanks(),
        "--time rate:100 --accel g:1,2,3 --gyro dps:4,5,6 --temp none",
    ),
    case(
        "PicoQuake, comments, no times",
        logs.picoquake(),
        "--time rate:100 --accel g:a_x,a_y,a_z --gyro dps:g_x,g_y,g_z --temp none",
    ),
    case("ISO 8601 with an offset", logs.iso(), DATED, UNIX_NS),
    case("ISO 8601 without an offset", logs.iso(""), DATED, UNIX_NS),
    case(
        "microseconds, °F, semicolons",
        logs.fahrenheit(),
        "--time us:t --accel g:ax,ay,az --gyro dps:gx,gy,gz --temp f:F",
    ),
    Case("saved by Excel as Unicode text", GENERIC.replace(",", "\t").encode("utf-16"), NAMED),
    Case("lines of Windows", GENERIC.replace("\n", "\r\n").encode(), NAMED),
]

DAMAGED: Final = [
    case("a row is missing", edited(GENERIC, lambda a: a[:150] + a[151:]), NAMED),
    case("a second is missing", edited(GENERIC, lambda a: a[:120] + a[220:]), NAMED),
    case("a cell is text", edited(GENERIC, replaced(151, AX_150, "ERR")), NAMED),
    case("a cell is NaN", edited(GENERIC, replaced(151, AX_150, "nan")), NAMED),
    case("a cell is missing", edited(GENERIC, replaced(151, f"{AX_150},", "")), NAMED),
    case("an acceleration of 99 g", edited(GENERIC, replaced(151, AX_150, "99")), NAMED),
    case(
        "two lines run together",
        edited(GENERIC, lambda a: [*a[:150], a[150] + a[151], *a[152:]]),
        NAMED,
    ),
    case("binary rubbish", edited(GENERIC, replaced(151, ROW_150, "\x00\x01\x7f,\x00")), NAMED),
    case("a quote without its pair", edited(GENERIC, replaced(151, AX_150, f'"{AX_150}')), NAMED),
    case("a time far ahead", edited(GENERIC, replaced(151, TIME_150, "9" + TIME_150)), NAMED),
    case("a time far behind", edited(GENERIC, replaced(151, TIME_150, "1")), NAMED),
    case("a row twice", edited(GENERIC, lambda a: [*a[:150], a[149], *a[150:]]), NAMED),
    case(
        "two rows exchanged", edited(GENERIC, lambda a: [*a[:150], a[151], a[150], *a[152:]]), NAMED
    ),
    case(
        "comments and blank lines between",
        edited(GENERIC, lambda a: [*a[:150], "# x", "", *a[150:]]),
        NAMED,
    ),
    case(
        "the header again, times go on",
        edited(GENERIC, lambda a: [*a[:150], a[0], *a[200:]]),
        NAMED,
    ),
]

TRUNCATED: Final = [
    Case("a compressed log that was cut", gzip.compress(GENERIC.encode(), mtime=0)[:-2000], NAMED),
    case("cut within the last number", GENERIC[:-4], NAMED),
    case("cut within a row", GENERIC[:-30], NAMED),
    case("cut within an unused column", logs.phyphox()[:-2], "--preset phyphox"),
    case("cut after the header", edited(GENERIC, lambda a: a[:1]), NAMED),
    case("cut after one row", edited(GENERIC, lambda a: [*a[:2], ""]), NAMED),
    case("empty", "", NAMED),
    case("its beginning is missing", GENERIC[4000:], NAMED),
    case(
        "its beginning is missing, by number",
        logs.adafruit().partition("\n1010,")[2].join(["10,", ""]),
        BY_NUMBER.replace("lsb:16384", "mss").replace("lsb:131", "rads"),
    ),
]

REFUSED: Final = [
    case(
        "m/s² given as g",
        logs.adafruit(),
        "--time ms:1 --accel g:2,3,4 --gyro rads:5,6,7 --temp none",
    ),
    case("g given as m/s²", GENERIC, NAMED.replace("g:ax", "mss:ax")),
    case("mg given as g", logs.artemis(), "--preset artemis-mdy --accel g:aX,aY,aZ"),
    case("counts of the wrong range", logs.raw_counts(), BY_NUMBER.replace("16384", "4096")),
    case("°/s given as rad/s", GENERIC, NAMED.replace("dps", "rads")),
    case("ms given as s", GENERIC, NAMED.replace("ms:ms", "s:ms")),
    case("s given as ms", logs.phyphox(), "--preset phyphox --time ms:Time~(s)"),
    case(
        "linear acceleration, gravity removed",
        logs.without_gravity(),
        "--preset phyphox",
    ),
    case(
        "times of one second",
        edited(
            GENERIC,
            lambda a: [
                a[0],
                *(f"{row // 100}000,{line.partition(',')[2]}" for row, line in enumerate(a[1:-1])),
                "",
            ],
        ),
        NAMED,
    ),
    case(
        "times rounded by a spreadsheet",
        edited(
            GENERIC,
            lambda a: [a[0], *(f"1.71E+12,{line.partition(',')[2]}" for line in a[1:-1]), ""],
        ),
        NAMED,
    ),
    case("two logs, one after the other", GENERIC + GENERIC, NAMED),
    case(
        "two sensors in one log",
        logs.witmotion_dated().replace("WT901", "WT902", 7),
        "--preset witmotion-dated",
    ),
    case("another form than the preset", logs.euroc(), "--preset phyphox"),
    case("a column that it does not have", GENERIC, NAMED.replace("ax,ay", "ax,aq")),
    case(
        "two columns of one name", GENERIC.replace("temp", "ax", 1), NAMED.replace("c:temp", "none")
    ),
    case(
        "day and month exchanged", logs.artemis().replace("05/03", "05/13"), "--preset artemis-dmy"
    ),
    case(
        "commas and points in numbers",
        logs.phyphox_with_commas().replace("0;", ".5;", 3),
        "--preset phyphox",
    ),
    case("decimal commas between commas", logs.commas_only(), BY_NUMBER.replace("lsb:16384", "g")),
    case(
        "thousands or decimals",
        "t;x;y;z\n" + "".join(f"{row}0;1,002;1,003;9,812\n" for row in range(99)),
        "--time ms:t --accel mss:x,y,z --gyro none --temp none",
    ),
    case("another program's JSON", '{"t": 1, "ax": 0.1}\n' * 50, NAMED),
    Case("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 99, NAMED),
    case(
        "irregular times",
        edited(
            GENERIC,
            lambda a: [
                a[0],
                *(line for row, line in enumerate(a[1:-1]) if row % 7 not in (2, 3)),
                "",
            ],
        ),
        NAMED,
    ),
]

CASES: Final = [*FOREIGN, *DAMAGED, *TRUNCATED, *REFUSED]
