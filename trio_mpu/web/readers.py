"""What is being read now, and by whose token: so that it ends when the token is taken out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trio_mpu.access.tokens import Token, Tokens


class Readers:
    """Answers in progress, each with the token that it was asked for with."""

    def __init__(self) -> None:
        self._reading: dict[object, tuple[Token, Callable[[], None]]] = {}

    def __len__(self) -> int:
        return len(self._reading)

    @contextmanager
    def ended_by(self, token: Token | None, end: Callable[[], None]) -> Iterator[None]:
        """Let `end` be called if this token is taken out meanwhile; None: never."""
        if token is None:
            yield
            return
        key = object()
        self._reading[key] = token, end
        try:
            yield
        finally:
            del self._reading[key]

    def end_all_but(self, tokens: Tokens) -> None:
        """End what is read with any other token."""
        for token, end in list(self._reading.values()):
            if token not in tokens:
                end()
