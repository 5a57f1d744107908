"""`python -m trio_mpu.conformance URL`: holds a server to docs/protocol.md.

It needs nothing but Python's standard library, and ends within half a minute. The exit status is 0
if no check failed, 1 if one did, and 2 for a mistake on the command line.
"""

import argparse
import os
import ssl
import sys
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from trio_mpu.conformance.check import Check
from trio_mpu.conformance.run import CHECKS, chosen, run_checks
from trio_mpu.conformance.subject import Subject
from trio_mpu.conformance.wire import Target

_WIDTH: Final = max(len(check.id) for check in CHECKS)
TOKEN: Final = "TRIO_MPU_TOKEN"  # noqa: S105 - the variable that may hold one


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    checks = chosen(options.only)
    if not checks:
        parser.error(f"--only: no check is called {' or '.join(options.only)}; see --list")
    if options.list:
        for check in checks:
            print(f"{check.id:{_WIDTH}}  {check.holds} ({check.section})")
        return 0
    if options.url is None:
        parser.error("which server? Give its URL, such as http://localhost:3737")
    try:
        target = _target(options)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    counts = {"ok": 0, "FAILED": 0, "not tried": 0}

    def say(check: Check, verdict: str) -> None:
        counts[verdict.partition(":")[0]] += 1
        print(f"{check.id:{_WIDTH}}  {verdict}", flush=True)
        if verdict.startswith("FAILED"):
            print(f"{'':{_WIDTH}}  wanted: {check.holds} (docs/protocol.md, {check.section})")

    passed = run_checks(checks, Subject(target), say)
    print(", ".join(f"{number} {word}" for word, number in counts.items()))
    return 0 if passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trio_mpu.conformance",
        description="Hold a server to docs/protocol.md: a line for each check, and exit status 1 "
        "if one failed.",
    )
    parser.add_argument("url", nargs="?", help="the server, such as http://localhost:3737")
    parser.add_argument(
        "--token", default=os.environ.get(TOKEN, ""), help=f"sent with each request; also ${TOKEN}"
    )
    parser.add_argument("--cacert", help="a file with the certificate to trust, in PEM")
    parser.add_argument("--insecure", action="store_true", help="accept any certificate")
    parser.add_argument(
        "--only", action="append", default=[], help="a check, or a group such as resume; repeatable"
    )
    parser.add_argument("--list", action="store_true", help="list the checks, and make none")
    return parser


def _target(options: argparse.Namespace) -> Target:
    """Return the server that is named. Raises ValueError and OSError."""
    url = urlsplit(options.url if "//" in options.url else f"http://{options.url}")
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"{options.url!r} is no URL such as http://localhost:3737")
    tls = None
    if url.scheme == "https":
        tls = ssl.create_default_context(cafile=options.cacert)
        if options.insecure:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
    port = url.port or (443 if tls else 80)
    return Target(url.hostname, port, url.path.rstrip("/"), tls, options.token)


if __name__ == "__main__":
    sys.exit(main())
