"""One connection: stream ↔ h11 ↔ the table of routes.

Every message passes through h11, which judges all that is malformed; what it leaves to us is
checked in web/responses.py. The rules of this file:

1. Framing decides the connection's fate. A request that is malformed or over a bound gets one
   error and a close. One with both Content-Length and Transfer-Encoding is answered and then
   closed (RFC 9112, section 6.1: its sender and we may not agree where it ends).
2. A close is announced ("Connection: close") before it happens, except where nothing was said.
3. A refusal comes as soon as the head is read, without waiting for a body, and lingers.
4. Every wait for the client has a deadline, and everything read has a bound.
5. An error that nobody foresaw ends this connection only. Its text goes to the log, not to the
   client.
"""

import contextlib
import logging
from typing import Final

import h11
import trio

from trio_mpu.errors import ClientGone, RequestError, RingError, StoreError
from trio_mpu.fanout.group import Chunk
from trio_mpu.tls.session import TlsSession
from trio_mpu.web.answer import Answer, Headers, error_answer
from trio_mpu.web.app import App, Reply
from trio_mpu.web.handshake import shake_hands
from trio_mpu.web.next_request import first_bytes, without_empty_lines
from trio_mpu.web.pieces import Deferred, FromBody, Pieces, send_pieces
from trio_mpu.web.request import Request
from trio_mpu.web.responses import IDLE_S, response, response_head, sound_request
from trio_mpu.web.transport import STOPPING_LINGER_S, Transport

log = logging.getLogger(__name__)

# Bound "time for a request, s".
REQUEST_S: Final = 10.0  # for a head or a body, once it has begun; and for the first byte
# Bound "request head, bytes".
MAX_HEAD_BYTES: Final = 16_384  # h11's own default; also of a chunk's header and of trailers
# Bound "request body, bytes".
MAX_BODY_BYTES: Final = 65_536  # nobody needs one here; framing and trailers included


async def serve_connection(
    stream: trio.abc.HalfCloseableStream, app: App, tls: TlsSession | None = None
) -> None:
    """Answer requests until either side is done, and close the stream, cancelled or not. With `tls`,
    it begins with a handshake."""
    async with stream:
        try:
            if tls is None or await shake_hands(stream, tls, app):
                await Connection(Transport(stream, tls), app).run()
        except ClientGone as gone:
            if gone.stuck:
                app.metrics.count("timeouts_write")
            log.debug("%s", gone)
        except Exception:
            app.metrics.count("handler_errors")
            log.exception("a connection ended by an error")


class Connection:
    """The state of one connection."""

    def __init__(self, transport: Transport, app: App) -> None:
        self._transport = transport
        self._app = app
        self._h11: h11.Connection  # of the request in progress
        self._request = b""  # what it began with
        self._received = 0  # bytes of its head or of its body
        self._feeds = 0  # how many pieces it came in
        self._closing = False  # it is the last one
        self._head_only = False  # its answer has no body

    async def run(self) -> None:
        """Serve one request after the other. Raises ClientGone."""
        data = await first_bytes(self._transport, self._app, REQUEST_S)
        while data:
            # To understand a request and to open its answer is work, too: a crowd takes turns.
            await self._app.hub.turns.wait(self._transport.peer)
            # A new one for each request: nothing of the last one can have a part in it.
            self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
            self._received = self._feeds = 0
            self._feed(data)
            self._request = data
            if not await self._exchange():
                await self._transport.linger(stopping=self._app.stopping)
                return
            data = without_empty_lines(self._h11.trailing_data[0])
            data = data or await first_bytes(self._transport, self._app, IDLE_S)
        with trio.move_on_after(STOPPING_LINGER_S):
            await self._transport.say_goodbye()

    # -- reading ----------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        self._received += len(data)
        self._feeds += 1
        self._h11.receive_data(data)

    async def _event(self) -> h11.Event:
        while (event := self._h11.next_event()) is h11.NEED_DATA:
            if self._h11.they_are_waiting_for_100_continue:
                await self._send(
                    h11.InformationalResponse(status_code=100, headers=[], reason="Continue")
                )
            self._feed(await self._transport.receive())
        assert isinstance(event, h11.Event)
        return event

    async def _head(self) -> h11.Request:
        event = await self._event()
        assert isinstance(event, h11.Request)
        self._app.metrics.count("requests")
        self._head_only = event.method == b"HEAD"
        self._received -= self._taken(MAX_HEAD_BYTES, 431, "the head is too large")
        return event

    async def _body(self, reply: Reply) -> bytes:
        """Read the body to its end, and forget it unless the reply is made of it."""
        body, most_bytes = bytearray(), MAX_BODY_BYTES
        if isinstance(reply, FromBody):
            most_bytes = reply.most_bytes
        while not isinstance(event := await self._event(), h11.EndOfMessage):
            self._taken(most_bytes, 413, "the body is too large")
            if isinstance(event, h11.Data) and isinstance(reply, FromBody):
                body += event.data
        self._taken(most_bytes, 413, "the body is too large")
        return bytes(body)

    def _taken(self, bound: int, status: int, complaint: str) -> int:
        """Return how many bytes this part of the request has so far, if not more than `bound`.

        h11 itself has a bound for what it can't make an event of.
        """
        taken = self._received - len(self._h11.trailing_data[0])
        if taken > bound:
            self._closing = True
            raise RequestError(status, complaint)
        return taken

    def _has_all(self) -> bool:
        """Read what has arrived of the body; tell whether the request is whole and sound."""
        try:
            while self._h11.their_state is h11.SEND_BODY:
                if self._h11.next_event() is h11.NEED_DATA:
                    return False
        except h11.RemoteProtocolError:
            return False
        return True

    # -- answering --------------------------------------------------------------------

    async def _exchange(self) -> bool:
        """Read one request and answer it; tell whether another may follow."""
        self._head_only = False
        self._closing = True  # …unless the request turns out to be sound
        try:
            with trio.fail_after(REQUEST_S):
                head = await self._head()
            transport = self._transport
            request = sound_request(head, MAX_BODY_BYTES, transport.peer, secure=transport.secure)
            self._closing = request.headers.keys() >= {"transfer-encoding", "content-length"}
            reply = self._app.respond(request)
            with trio.fail_after(REQUEST_S):
                body = await self._body(reply)
            if isinstance(reply, FromBody):
                reply = reply.make(body)
            if isinstance(reply, Answer) and reply.reusable and self._is_plain(head):
                self._app.request_cache.learn(self._request, request)
        except h11.RemoteProtocolError as error:
            self._closing = True
            self._app.metrics.count("requests_bad")
            await self._refuse(error.error_status_hint, "malformed request")
        except RequestError as error:
            self._app.metrics.count("requests_bad", int(self._closing))
            await self._refuse(error.status, str(error), error.headers)
        except trio.TooSlowError:
            self._app.metrics.count("timeouts_request")
            await self._refuse(408, "the request took too long")
        else:
            await self._reply(reply, request)
        return self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE

    def _is_plain(self, head: h11.Request) -> bool:
        """Tell whether the same bytes on another idle connection would mean just the same."""
        names = {name for name, _ in head.headers}
        return (
            head.method == b"GET"
            and head.http_version == b"1.1"
            and names.isdisjoint(
                (b"connection", b"content-length", b"transfer-encoding", b"expect")
            )
            and self._feeds == 1
            and not self._h11.trailing_data[0]
        )

    async def _refuse(self, status: int, reason: str, headers: Headers = ()) -> None:
        """Answer with an error. Only a request that has arrived whole leaves the connection open."""
        self._closing = self._closing or not self._has_all()
        await self._answer(error_answer(status, reason, headers))

    async def _reply(self, reply: Reply, request: Request) -> None:
        """Answer with what the handler gave, or with the error that it meets before the head.

        What takes its time ends when the client's token is taken out.
        """
        if isinstance(reply, Answer):
            await self._answer(reply)
            return
        assert not isinstance(reply, FromBody)
        try:
            with self._app.admission.reading(request) as scope:
                if isinstance(reply, Deferred):
                    reply = await reply.make()
                if isinstance(reply, Answer):
                    await self._answer(reply)
                else:
                    await self._answer_in_pieces(reply)
            if scope.cancelled_caught:
                raise ClientGone("its token was taken out")
        except (RequestError, RingError, StoreError) as error:
            if self._h11.our_state is not h11.SEND_RESPONSE:
                # Too late for another status: the client sees an answer without its end.
                raise ClientGone(f"an answer broke off: {error}") from error
            if isinstance(error, RequestError):
                await self._refuse(error.status, str(error), error.headers)
            else:
                await self._refuse(503, str(error))

    async def _answer(self, answer: Answer) -> None:
        body = b"" if self._head_only else answer.body
        head = response(answer, self._app.common_headers, close=self._is_last())
        await self._send(head, h11.Data(data=body), h11.EndOfMessage())

    def _is_last(self) -> bool:
        # The client may have said so itself, by its version of HTTP or by a header.
        asked = self._h11.their_state is h11.MUST_CLOSE
        return self._closing or self._app.stopping or asked

    async def _send(self, *events: h11.Event) -> None:
        data = b"".join(self._h11.send(event) or b"" for event in events)
        await self._transport.send(data)
        self._app.metrics.count("sent_bytes", len(data))

    async def _answer_in_pieces(self, reply: Pieces) -> None:
        # What a client sends behind a request for an endless answer is never read: hence the close.
        self._closing = self._closing or reply.endless
        headers = (("Content-Type", reply.content_type), *reply.headers, *self._app.common_headers)
        if reply.length is not None:
            headers = (*headers, ("Content-Length", str(reply.length)))
        head = response_head(reply.status, headers, close=self._is_last())
        if self._head_only:
            await self._send(head, h11.EndOfMessage())
            return
        chunked = reply.length is None and self._h11.their_http_version != b"1.0"
        socket = self._transport.socket if chunked else None
        async with contextlib.aclosing(reply.generate(socket)) as pieces:
            first = await anext(pieces, Chunk(b""))
            await self._send(head, h11.Data(data=first.payload))
            if reply.length is None:
                await send_pieces(
                    self._transport,
                    pieces,
                    self._app.metrics,
                    chunked=chunked,
                    endless=reply.endless,
                )
            else:
                async for piece in pieces:
                    await self._send(h11.Data(data=piece.payload))
        await self._send(h11.EndOfMessage())
