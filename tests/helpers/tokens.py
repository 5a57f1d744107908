"""Who may read, in tests."""

from pathlib import Path

ALICE, BOB = "alices-token-0123456789", "bobs-token-0123456789"


def write_tokens(path: Path, text: str) -> Path:
    """Write a token file that only its owner has access to."""
    path.touch(0o600)
    path.write_text(text)
    return path
