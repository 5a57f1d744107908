# Pure: no I/O, no clock, no waiting.
"""So many of something for each address, and no more."""

from collections import Counter

from trio_mpu.address import network_of


class Shares:
    """Counts what each address has; what it gives back takes no room."""

    def __init__(self, most: int) -> None:
        """`most` for each address; 0: no limit."""
        self.most = most
        self._taken = Counter[str]()

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, address: str) -> bool:
        """Count one more and return True, unless the address has `most` already."""
        network = network_of(address)
        if self.most and self._taken[network] >= self.most:
            return False
        self._taken[network] += 1
        return True

    def give_back(self, address: str) -> None:
        """Count one less."""
        network = network_of(address)
        self._taken[network] -= 1
        if not self._taken[network]:
            del self._taken[network]
