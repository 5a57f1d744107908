"""Slow clients among many fast ones: do the fast ones notice, and what do the slow ones get?

One slow client takes 1 kB/s, a fortieth of the stream; another takes nothing. Afterwards both
read what they can get, for a while: so it shows whether a slow client got every sample, late, or
which it lost and whether it was told. "behind" is how many samples it still lacks then.
Ours runs twice, the second time with a ring of 256 samples, which moves on under a slow client.
The kernel alone holds up to some MB for a slow client: what is lost beyond that shows in a run of
two minutes, and a client that takes nothing is closed by ours after half a minute without room.
"""

import functools

from benchmarks.load import SlowReading, read_stream
from benchmarks.servers import STREAMING, Feed, serving
from benchmarks.table import (
    Row,
    announce,
    heading,
    number,
    options_of,
    rounds,
    show,
    verdict_row,
    verdict_text,
)

SLOW_BYTES_PER_S = 1000
DRAIN_S = 3.0
SMALL_RING = "ours-small-ring"
SMALL_RING_SAMPLES = 256


def measure(name: str, clients: int, rate_hz: float, seconds: float, paces: tuple[int, ...]) -> Row:
    """Run one server with slow clients of these paces, or without any."""
    feed = Feed(rate_hz)
    if name == SMALL_RING:
        name, feed = "ours", Feed(rate_hz, capacity=SMALL_RING_SAMPLES)
    with serving(name, feed) as server:
        reading = read_stream(
            server,
            clients,
            seconds,
            rate_hz=rate_hz,
            paces=paces,
            drain_s=DRAIN_S if paces else 0,
        )
    row = {
        "delivered": reading["samples"] / (clients * rate_hz * reading["seconds"]),
        "p50_us": reading["p50_us"],
        "p99_us": reading["p99_us"],
        "max_us": reading["max_us"],
        **verdict_row(reading),
    }
    for who, slow in zip(("slow", "stuck"), reading["slow"], strict=False):
        row |= {f"{who}_{key}": value for key, value in _what_it_got(slow).items()}
    return row


def _what_it_got(slow: SlowReading) -> Row:
    return {
        **verdict_row(slow),
        "samples": slow["samples"],
        "gaps_told": slow["gaps_told"],
        "behind": slow["behind"],
    }


def _text_of(who: str, row: Row) -> str:
    own = {key.removeprefix(f"{who}_"): value for key, value in row.items() if key.startswith(who)}
    return (
        f"{own['samples']:,.0f} samples, whole and in order: {verdict_text(own)}"
        f" ({own['gaps_told']:.0f} gaps reported, {own['behind']:.0f} behind)"
    )


def main() -> None:
    """Print a table of the fast ones without and with slow ones, and one of the slow ones."""
    parser = options_of(__doc__, seconds=15, servers=(*STREAMING, SMALL_RING))
    parser.add_argument("--clients", type=int, default=500, help="fast ones (%(default)s)")
    parser.add_argument("--rate", type=float, default=100, help="(%(default)s Hz)")
    options = parser.parse_args()
    announce("benchmarks.slow_reader")
    for title, paces in (("none", ()), ("slow ones: 1 kB/s, and nothing", (SLOW_BYTES_PER_S, 0))):
        heading(f"{options.clients:,} fast clients x {options.rate:g} Hz; {title}", options)
        rows = rounds(
            options,
            functools.partial(
                measure,
                clients=options.clients,
                rate_hz=options.rate,
                seconds=options.seconds,
                paces=paces,
            ),
        )
        show(
            rows,
            ("delivered", number("delivered", ".1%")),
            ("whole, in order", verdict_text),
            ("median ms", number("p50_us", ".2f", 1e-3)),
            ("p99 ms", number("p99_us", ".2f", 1e-3)),
            ("worst ms", number("max_us", ".1f", 1e-3)),
        )
        for who in ("slow", "stuck") if paces else ():
            print(f"\nthe {who} client:")
            for name, row in rows.items():
                print(f"- {name}: {_text_of(who, row)}")


if __name__ == "__main__":
    main()
