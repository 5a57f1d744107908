"""The token file, which nobody else may read."""

import os
from pathlib import Path

import pytest

from tests.helpers.tokens import write_tokens
from trio_mpu.access.token_file import MAX_BYTES, read_tokens
from trio_mpu.errors import UsageError

TOKEN = "0123456789abcdef"  # noqa: S105 - it opens nothing


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sound file."""
    return write_tokens(tmp_path / "tokens", f"alice {TOKEN}\n")


def refusal(path: Path) -> str:
    """The line that says what is wrong, without the file's name."""
    with pytest.raises(UsageError) as caught:
        read_tokens(str(path))
    message = str(caught.value)
    assert message.startswith(f"token file {path}: ")
    assert TOKEN not in message
    return message.removeprefix(f"token file {path}: ")


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_ones_own_is_read(file: Path, mode: int) -> None:
    """Whatever its owner may do with it; a byte order mark is none of its name's letters."""
    file.write_text(f"\ufeffalice {TOKEN}\n")
    file.chmod(mode)
    token = read_tokens(str(file)).find(TOKEN)
    assert token is not None
    assert token.name == "alice"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o644])
def test_a_file_to_which_others_have_access_is_refused(file: Path, mode: int) -> None:
    """It says what to do."""
    file.chmod(mode)
    assert "chmod 600" in refusal(file)


def test_a_file_of_another_user_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns it can change it; root's is as good as one's own."""
    owner = file.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner:
        assert f"belongs to user {owner}" in refusal(file)
    else:
        assert len(read_tokens(str(file))) == 1
        os.chown(file, 4242, -1)
        assert "belongs to user 4242" in refusal(file)


def test_what_is_no_readable_text_is_refused(file: Path, tmp_path: Path) -> None:
    """Missing, a folder, a pipe that nobody writes, too large, or not UTF-8."""
    assert refusal(tmp_path / "no") == "No such file or directory"
    assert refusal(tmp_path) == "it is no regular file"
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert refusal(tmp_path / "pipe") == "it is no regular file"
    file.write_bytes(b"#" * MAX_BYTES + b"\n")
    assert "larger than 65536 bytes" in refusal(file)
    file.write_bytes(b"\xff\xfe")
    assert refusal(file) == "it is no text in UTF-8"
    file.write_text("alice x\n")
    assert refusal(file).startswith("line 1: the token has 1 characters")
