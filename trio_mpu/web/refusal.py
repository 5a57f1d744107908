"""An answer that waits for no request: to a client that there is no room for, or that speaks wrongly."""

import contextlib
from typing import Final

import h11
import trio

from trio_mpu.errors import ClientGone
from trio_mpu.web.answer import Headers, error_answer
from trio_mpu.web.responses import response
from trio_mpu.web.transport import Transport

# Bound "time for a refusal, s".
REFUSAL_S: Final = 10.0  # a client that takes the answer so slowly is cut off


async def answer_unasked(
    transport: Transport, status: int, reason: str, common_headers: Headers
) -> None:
    """Send an error, within REFUSAL_S, and linger; to be closed then."""
    connection = h11.Connection(h11.SERVER)
    with contextlib.suppress(ClientGone), trio.move_on_after(REFUSAL_S):
        answer = error_answer(status, reason)
        head = response(answer, common_headers, close=True)
        events = (head, h11.Data(data=answer.body), h11.EndOfMessage())
        await transport.send(b"".join(connection.send(event) or b"" for event in events))
        await transport.linger()
