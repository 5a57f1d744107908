"""`~` in the names of files that people write."""

import os


def with_home(path: str) -> str:
    """Return the path with `~` expanded, where a shell left it; as it is if there is no home."""
    return os.path.expanduser(path)  # noqa: PTH111 - pathlib fails where there is no home
