"""Machines that lack something: namespaces of Linux, and a sandbox that forbids Unix sockets."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from tests.helpers.processes import killed

# Without root, it has to be root of a namespace of its own.
_ME: Final = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
LOOPBACK_UP: Final = "ip link set lo up"
NO_IPV6: Final = (
    "for each in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 >$each; done; " + LOOPBACK_UP
)

# Lets socket(AF_UNIX, …) fail with EAFNOSUPPORT, as systemd's RestrictAddressFamilies= does, and runs
# the rest of the command line. socketpair() goes on working, there as here.
_WITHOUT_UNIX_SOCKETS: Final = """
import ctypes, errno, os, platform, struct, sys
number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
code = [
    (0x20, 0, 0, 0), (0x15, 0, 3, number),  # not socket(): the last line
    (0x20, 0, 0, 16), (0x15, 0, 1, 1),  # not AF_UNIX: the last line
    (0x06, 0, 0, 0x00050000 | errno.EAFNOSUPPORT), (0x06, 0, 0, 0x7FFF0000),
]
text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in code))
program = ctypes.create_string_buffer(struct.pack("HP", len(code), ctypes.addressof(text)))
libc = ctypes.CDLL(None, use_errno=True)
for call in ((38, 1, 0, 0, 0), (22, 2, program, 0, 0)):
    if libc.prctl(*call):
        sys.exit(os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
"""


def without_unix_sockets() -> list[str]:
    """What to put in front of a command."""
    return [sys.executable, "-c", _WITHOUT_UNIX_SOCKETS]


@contextlib.contextmanager
def namespace(*kinds: str, setup: str = ":") -> Iterator[list[str]]:
    """New namespaces ("--net", "--mount"), once `setup` has been run there: what to put in front of
    a command that is to run there. Everything else is shared with this one."""
    holder = subprocess.Popen(
        ["unshare", *_ME, *kinds, "sh", "-ec", f"{setup}; echo done; exec sleep 600"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    with killed(holder):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "done\n"
        as_root = ["--preserve-credentials"] if _ME else []
        yield ["nsenter", f"--target={holder.pid}", *as_root, *(["--user"] if _ME else []), *kinds]
