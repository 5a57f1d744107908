"""What a page shows, in whichever browser it is open."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Shown(ABC):
    """One open page and the addresses it has asked for. Nothing here waits for anything to appear."""

    requests: list[str]

    @abstractmethod
    def evaluate(self, function: str, argument: object = None) -> Any:  # noqa: ANN401 - any JSON
        """Call a JavaScript function in the page with an argument; return what it or its promise gives."""

    def text(self, ident: str) -> str:
        """The text of an element."""
        return str(self.evaluate("(id) => document.getElementById(id).textContent", ident))

    def number(self, ident: str) -> float:
        """The figure in an element; its minus sign is the typographic one. NaN while it shows none."""
        try:
            return float(self.text(ident).replace("\N{MINUS SIGN}", "-").replace(",", ""))
        except ValueError:
            return float("nan")

    def accounts(self) -> dict[str, str]:
        """The ledger's figures, all from one moment."""
        accounts: dict[str, str] = self.evaluate(
            "() => ({ ...document.getElementById('accounts').dataset })"
        )
        return accounts

    def state(self) -> str:
        """The state that the page says the connection is in."""
        return str(self.evaluate("() => document.getElementById('connection').dataset.state"))

    def histories(self) -> list[str]:
        """The addresses of the past asked for, in order."""
        return [url for url in self.requests if "/history" in url]

    def streams(self) -> list[str]:
        """The addresses of the streams asked for, in order."""
        return [url for url in self.requests if "/events" in url]
