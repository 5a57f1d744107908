"""Places for each address: so many of its clients do something at a time, the others wait."""

from collections.abc import Callable
from dataclasses import dataclass

import trio

from trio_mpu.address import network_of


@dataclass(slots=True, eq=False)
class _Room:
    """The places of one address, and how many have one or wait for one."""

    places: trio.Semaphore
    users: int = 0


class Places:
    """See above. Within an address it is first come, first served; none waits for another's."""

    def __init__(self, number: int, waits: Callable[[], None]) -> None:
        """`number` of places for each address; `waits` is called when somebody has to wait."""
        self._number = number
        self._waits = waits
        self._rooms: dict[str, _Room] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    async def take(self, address: str) -> None:
        """Wait for a place; call `give_back` at the end. When cancelled, none was taken."""
        network = network_of(address)
        if (room := self._rooms.get(network)) is None:
            room = self._rooms[network] = _Room(trio.Semaphore(self._number))
        if not room.places.value:
            self._waits()
        room.users += 1
        try:
            await room.places.acquire()
        except BaseException:
            self._leave(network, room)
            raise

    def give_back(self, address: str) -> None:
        """Let the next one have the place."""
        network = network_of(address)
        room = self._rooms[network]
        room.places.release()
        self._leave(network, room)

    def _leave(self, network: str, room: _Room) -> None:
        room.users -= 1
        if not room.users:
            del self._rooms[network]
