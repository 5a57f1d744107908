"""Judges all that a server has sent on one connection: whole answers, and nothing beside them.

It knows nothing of how the answers were made; the heads are parsed by the conformance suite.
"""

import re
from typing import Final

from trio_mpu.conformance.answers import Answer, head_of

_CHUNK: Final = re.compile(rb"([0-9a-f]+)\r\n")


def answers_in(sent: bytes) -> tuple[list[Answer], bytes]:
    """Return the whole answers in what was sent, without interim ones, and what is left: the
    beginning of an answer that has not ended yet. Raises Failed or AssertionError for what no client
    could understand.

    An answer to HEAD is known by what follows it: nothing, or the next answer.
    """
    answers: list[Answer] = []
    while sent:
        assert not answers or not answers[-1].closes, "bytes behind an answer that closes"
        head, end, rest = sent.partition(b"\r\n\r\n")
        if not end:
            break
        answer = head_of(head.split(b"\r\n"), "GET")
        if answer.status == 100:
            sent = rest
            continue
        if answer.has_body and (not rest or rest.startswith(b"HTTP/1.1 ")):
            answer.method = "HEAD"
        body = _body(answer, rest)
        if body is None:
            break
        answer.body, sent = body
        answers.append(answer)
    return answers, sent


def may_be_cut(rest: bytes) -> bool:
    """Return whether what is left may stay without its end: nothing, or a stream whose client has said
    that it will send no more. It may then be in the middle of an event, which nobody waits for."""
    return not rest or b"\r\nX-Accel-Buffering: no\r\n" in rest


def _body(answer: Answer, rest: bytes) -> tuple[bytes, bytes] | None:
    """Return the body and what follows it; None if it has not ended yet."""
    if not answer.has_body:
        return b"", rest
    if answer.is_chunked:
        return _chunks(rest)
    if answer.length is not None:
        return None if len(rest) < answer.length else (rest[: answer.length], rest[answer.length :])
    assert answer.closes, "its end is unknown, and it does not close"
    return rest, b""


def _chunks(rest: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while found := _CHUNK.match(rest):
        size, begin = int(found[1], 16), found.end()
        if len(rest) < begin + size + 2:
            return None
        assert rest[begin + size : begin + size + 2] == b"\r\n", "a chunk is not as long as it says"
        if not size:
            return body, rest[begin + 2 :]
        body += rest[begin : begin + size]
        rest = rest[begin + size + 2 :]
    assert b"\n" not in rest, f"no chunk: {rest[:20]!r}"
    return None
