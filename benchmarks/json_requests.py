"""/json: answers a second over 16 keep-alive connections that ask again on each answer.

Beside uvicorn (uvloop) with both of its HTTP parsers, and an application that does nothing but
return the same number of bytes. Ours answers the latest of 100 samples a second.
"""

from benchmarks.load import request_json
from benchmarks.servers import ANSWERING, Feed, serving
from benchmarks.table import Row, announce, heading, number, options_of, ratio, rounds, show


def measure(name: str, seconds: float) -> Row:
    """Run one server."""
    with serving(name, Feed()) as server:
        requests = request_json(server, seconds)
    cpu_s = requests["watched"][0]["cpu_s"]
    return {
        "rate": requests["answers"] / requests["seconds"],
        "cpu": cpu_s / requests["seconds"],
        "cpu_us": cpu_s * 1e6 / max(1, requests["answers"]),
        "reader": requests["reader_cpu_s"] / requests["seconds"],
        "p50_us": requests["p50_us"],
        "p99_us": requests["p99_us"],
        "body_bytes": requests["bytes"] / max(1, requests["answers"]),
    }


def main() -> None:
    """Print the table."""
    options = options_of(__doc__, seconds=4, servers=ANSWERING).parse_args()
    announce("benchmarks.json_requests")
    heading("/json, 16 connections", options)
    rows = rounds(options, lambda name: measure(name, options.seconds))
    show(
        rows,
        ("requests/s", number("rate", ",.0f")),
        ("x ours", ratio(rows, "rate", "ours")),
        ("x floor", ratio(rows, "rate", "floor")),
        ("CPU", number("cpu", ".0%")),
        ("CPU µs/request", number("cpu_us")),
        ("median ms", number("p50_us", ".2f", 1e-3)),
        ("p99 ms", number("p99_us", ".2f", 1e-3)),
        ("load CPU", number("reader", ".0%")),
        ("bytes", number("body_bytes", ".0f")),
    )


if __name__ == "__main__":
    main()
