"""Each target of the fuzzer over its seeds, and over what was found once."""

from pathlib import Path

import pytest

from fuzz.__main__ import CORPUS, main
from fuzz.seeds import seeds
from fuzz.targets import TARGETS

INPUTS = sorted(path.relative_to(CORPUS) for path in CORPUS.glob("*/*"))


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_in_the_corpus_breaks_its_target(name: str) -> None:
    """Nor the empty input, nor a seed that was cut."""
    target = TARGETS[name]
    inputs = [path for path in INPUTS if path.parts[0] == name]
    assert len(inputs) > 0
    for path in inputs:
        data = (CORPUS / path).read_bytes()
        for length in (len(data), len(data) // 2, 1):
            target.run(data[:length])
    target.run(b"")


def test_the_seeds_are_those_that_are_written() -> None:
    """Names and numbers of them: some have a time in them."""
    assert {name: len(contents) for name, contents in seeds().items()} == {
        name: len([*(CORPUS / name).glob("seed-*")]) for name in TARGETS
    }
    assert {path.parts[0] for path in INPUTS} == {*TARGETS}


def test_a_target_that_there_is_not_is_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a list of those that there are."""
    for arguments in ([], ["nothing"], ["query", "5", "6"]):
        monkeypatch.setattr("sys.argv", ["fuzz", *arguments])
        assert main() == 2
    assert "last_event_id" in capsys.readouterr().out
    assert all(Path(CORPUS / name).is_dir() for name in TARGETS)
