"""Who may read: tokens, cookies, hosts, over real connections and without any."""

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

import pytest
import trio

from tests.helpers.certificates import connect_tls, make_files
from tests.helpers.fakes import FakeRecords, Served, make_app, serving, until
from tests.helpers.http_client import Answer, Client, NoMore, request
from tests.helpers.tokens import ALICE, BOB
from trio_mpu.access.attempts import MAX_WRONG
from trio_mpu.access.hosts import Hosts
from trio_mpu.access.tokens import Token, Tokens, parse_tokens
from trio_mpu.errors import RequestError
from trio_mpu.web import admission as admission_module
from trio_mpu.web.admission import Admission
from trio_mpu.web.app import App
from trio_mpu.web.pieces import FromBody
from trio_mpu.web.readers import Readers
from trio_mpu.web.request import Request

EVE = "eves-token-0123456789"
TOKENS: Final = parse_tokens(f"alice {ALICE}\nbob {BOB}\n")
ONLY_BOB: Final = parse_tokens(f"bob {BOB}\n")
PRIVATE: Final = ["/", "/json", "/events", "/history", "/metrics", "/static/main.js", "/nothing"]
OPEN: Final = ["/livez", "/healthz", "/sign-in", "/static/sign-in.css", "/static/favicon.svg"]


def bearer(token: str) -> str:
    """The header that has a token."""
    return f"Authorization: Bearer {token}"


def guarded(
    file: Path,
    record_source: FakeRecords | None = None,
    **options: Any,  # noqa: ANN401 - of several types
) -> AbstractAsyncContextManager[Served]:
    """A server for those in the file, and for the tests' host."""
    return serving(record_source, token_file=str(file), allow_host="test", **options)


def take_out_alice(file: Path) -> None:
    """Take her token out of the file, and let the server read it again."""
    file.write_text(f"bob {BOB}\n")
    os.kill(os.getpid(), signal.SIGHUP)


async def ended(stream: Client) -> None:
    """Take a stream to its end, which is a proper one."""
    with pytest.raises(NoMore, match="the last chunk came"):
        await _all_events(stream)
    await stream.closed()


async def _all_events(stream: Client) -> None:
    while True:
        await stream.event()


async def signed_in(client: Client, token: str = ALICE) -> str:
    """Sign in as a browser does; return the header that it sends from then on."""
    answer = await post(client, f"token={token}")
    assert (answer.status, answer.headers["location"]) == (303, "./")
    return f"Cookie: other=1; {answer.headers['set-cookie'].partition(';')[0]}"


async def post(
    client: Client, body: str, *headers: str, kind: str = "application/x-www-form-urlencoded"
) -> Answer:
    """Send the sign-in form."""
    lines = (f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers)
    await client.send(request("/sign-in", *lines, method="POST", body=body.encode()))
    return await client.answer()


# -- who may have what ------------------------------------------------------------------


@pytest.mark.parametrize("path", PRIVATE)
async def test_without_a_token_nothing_is_given_away(token_file: Path, path: str) -> None:
    """Not even whether there is such a path; the connection stays."""
    async with guarded(token_file) as served, served.connect() as client:
        for method in ("GET", "HEAD", "POST"):
            answer = await client.get(path, method=method)
            assert answer.status == 401
            assert answer.headers["www-authenticate"] == 'Bearer realm="trio-mpu"'
            assert answer.headers["cache-control"] == "no-store"
        assert served.app.metrics["requests_unauthorized"] == 3
        assert served.app.metrics["tokens_wrong"] == 0


async def test_what_is_open_is_open(token_file: Path) -> None:
    """For load balancers, and to sign in."""
    async with guarded(token_file) as served, served.connect() as client:
        for path in OPEN:
            assert (await client.get(path)).status == 200


async def test_each_token_opens_everything(token_file: Path) -> None:
    """In the header, whatever the case of the scheme; or as the cookie of one who has signed in."""
    async with guarded(token_file) as served, served.connect() as client:
        cookie = await signed_in(client)
        for header in (bearer(ALICE), f"authorization: bEARER {BOB}", cookie):
            for path in ("/", "/json", "/history", "/metrics", "/static/main.js"):
                assert (await client.get(path, header)).status == 200, (header, path)
            assert (await client.get("/nothing", header)).status == 404
        assert served.app.metrics["sign_ins"] == 1


@pytest.mark.parametrize(
    "header",
    [
        *("Authorization: Bearer", f"Authorization: Basic {ALICE}", f"Authorization: {ALICE}"),
        *(f"Cookie: trio_mpu_x={ALICE}", f"Cookie: token={ALICE}", f"X-Token: {ALICE}"),
    ],
)
async def test_what_is_no_bearer_token_is_none(token_file: Path, header: str) -> None:
    """It is not counted as a wrong one either: a proxy may have a password of its own."""
    async with guarded(token_file) as served, served.connect() as client:
        answer = await client.get("/json", header)
        assert answer.status == 401
        assert "invalid_token" not in answer.headers["www-authenticate"]
        assert served.app.metrics["tokens_wrong"] == 0


async def test_a_token_in_the_query_is_none(token_file: Path) -> None:
    """It would be in the logs of proxies, and in the history of browsers."""
    async with guarded(token_file) as served, served.connect() as client:
        assert (await client.get(f"/json?access_token={ALICE}")).status == 401


async def test_without_the_option_everybody_may_read() -> None:
    """For any host; the sign-in page says so, and changes nothing."""
    async with serving() as served, served.connect() as client:
        assert (await client.get("/json")).status == 200
        assert b"needs no token" in (await client.get("/sign-in")).body
        answer = await post(client, f"token={ALICE}")
        assert (answer.status, answer.headers["location"]) == (303, "./")
        assert "set-cookie" not in answer.headers


# -- the sign-in form ----------------------------------------------------------------------


async def test_a_browser_that_opens_the_page_is_sent_to_the_form(token_file: Path) -> None:
    """Relative, so below a proxy's path too. Who asks for anything else gets the error."""
    html = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
    async with guarded(token_file) as served, served.connect() as client:
        answer = await client.get("/", html)
        assert (answer.status, answer.headers["location"]) == (303, "sign-in")
        assert answer.headers["cache-control"] == "no-store"
        assert (await client.get("/json", html)).status == 401
        assert (await client.get("/", "Accept: */*")).status == 401
        form = await client.get("/sign-in")
        assert b'<form method="post" action="sign-in">' in form.body
        assert b'<p role="alert"></p>' in form.body
        policy = form.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "form-action 'self'; frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert (form.headers["x-content-type-options"], form.headers["cache-control"]) == (
            "nosniff",
            "no-store",
        )
        assert b"style=" not in form.body
        assert b"<style" not in form.body


async def test_the_cookie_is_not_the_token_and_is_kept_from_scripts(token_file: Path) -> None:
    """Its path is the folder of the form, wherever a proxy has it."""
    async with guarded(token_file) as served, served.connect() as client:
        cookie = (await post(client, f"token=+{ALICE}%20")).headers["set-cookie"]
        assert ALICE not in cookie
        assert cookie.endswith("; HttpOnly; SameSite=Strict")
        assert "Path" not in cookie


@pytest.mark.parametrize("secure", [False, True])
def test_the_cookie_is_secure_where_clients_come_by_tls(app: App, secure: bool) -> None:
    """Without it, a browser would not keep such a one."""
    kind = {"content-type": "application/x-www-form-urlencoded"}
    reply = app.respond(Request("POST", "/sign-in", {}, kind, secure=secure))
    assert isinstance(reply, FromBody)
    answer = reply.make(f"token={ALICE}".encode())
    assert dict(answer.headers)["Set-Cookie"].endswith("; Secure") == secure


async def test_who_is_signed_in_can_sign_out(token_file: Path) -> None:
    """The browser loses the cookie; for somebody else nothing changes."""
    async with guarded(token_file) as served, served.connect() as client:
        cookie = await signed_in(client)
        page = await client.get("/sign-in", cookie)
        assert b"<strong>alice</strong>" in page.body
        answer = await post(client, "sign-out=1", cookie)
        assert (answer.status, answer.headers["location"]) == (303, "sign-in")
        name = cookie.partition("trio_mpu_")[2].partition("=")[0]
        assert answer.headers["set-cookie"].startswith(f"trio_mpu_{name}=; Max-Age=0")
        assert "set-cookie" not in (await post(client, "sign-out=1")).headers
        served.app.admission.tokens = None
        assert "set-cookie" not in (await post(client, "sign-out=1", cookie)).headers


async def test_a_wrong_token_shows_the_form_again(token_file: Path) -> None:
    """With the reason, and nothing of what was sent."""
    async with guarded(token_file) as served, served.connect() as client:
        for body in (f"token={EVE}", "token=", "", "token=%3Cscript%3E", f"other={ALICE}"):
            answer = await post(client, body)
            assert answer.status == 403
            assert b"This token is not valid." in answer.body
            assert b"<script>" not in answer.body
            assert EVE.encode() not in answer.body
            assert "set-cookie" not in answer.headers
        assert served.app.metrics["tokens_wrong"] == 5


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (f"token={ALICE}", "application/json", 415),
        (f"token={ALICE}", "", 415),
        ("token=\xe4", "application/x-www-form-urlencoded", 400),
        ("&".join(f"a{number}=1" for number in range(9)), "application/x-www-form-urlencoded", 400),
        ("token=" + "a" * 4091, "application/x-www-form-urlencoded; charset=utf-8", 413),
    ],
)
async def test_what_is_no_form_is_refused(
    token_file: Path, body: str, kind: str, status: int
) -> None:
    """Before it is read, or when it has too much."""
    async with guarded(token_file) as served, served.connect() as client:
        data = body.encode()
        lines = (f"Content-Type: {kind}", f"Content-Length: {len(data)}")
        await client.send(request("/sign-in", *lines, method="POST", body=data))
        assert (await client.answer()).status == status
        assert served.app.metrics["tokens_wrong"] == 0


async def test_a_form_may_come_in_pieces(token_file: Path) -> None:
    """Chunked, and byte by byte."""
    async with guarded(token_file) as served, served.connect() as client:
        head = request(
            *("/sign-in", "Transfer-Encoding: chunked"),
            "Content-Type: application/x-www-form-urlencoded",
            method="POST",
        )
        body = f"token={ALICE}".encode()
        await client.send(head + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        assert (await client.answer()).status == 303


# -- wrong tokens ------------------------------------------------------------------------


async def test_too_many_wrong_tokens_are_answered_429_but_right_ones_never(
    token_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the header and in the form alike; the tokens themselves are never logged."""
    async with guarded(token_file) as served, served.connect() as client:
        for _ in range(MAX_WRONG):
            answer = await client.get("/json", bearer(EVE))
            assert answer.status == 401
            assert answer.headers["www-authenticate"].endswith(', error="invalid_token"')
        answer = await client.get("/json", bearer(EVE))
        assert answer.status == 429
        assert 0 < int(answer.headers["retry-after"]) <= 60
        form = await post(client, f"token={EVE}")
        assert (form.status, form.headers["retry-after"]) == (429, answer.headers["retry-after"])
        assert b"too many wrong tokens" in form.body
        assert (await client.get("/json", bearer(ALICE))).status == 200
        assert (await client.get("/json", await signed_in(client))).status == 200
        assert (await client.get("/json")).status == 401
        assert served.app.metrics["tokens_wrong"] == MAX_WRONG + 2
        assert served.app.metrics["tokens_limited"] == 2
    assert "wrong token from 127.0.0.1" in caplog.messages
    assert EVE not in caplog.text


async def test_a_cookie_of_an_old_token_is_no_attempt(token_file: Path) -> None:
    """A page that is left open would lock out its own reader."""
    async with guarded(token_file) as served, served.connect() as client:
        cookie = await signed_in(client)
        take_out_alice(token_file)
        await until(lambda: len(served.app.admission.tokens or ()) == 1)
        for _ in range(2 * MAX_WRONG):
            assert (await client.get("/json", cookie)).status == 401
        assert served.app.metrics["tokens_wrong"] == 0


async def test_other_origins_can_read_errors_and_ask_first(token_file: Path) -> None:
    """A preflight has no token; a script reads why it may not read, and may send one."""
    origin = "https://a.example"
    async with guarded(token_file, allow_origin=origin) as served, served.connect() as client:
        answer = await client.get("/events", "Origin: https://a.example", method="OPTIONS")
        assert answer.status == 204
        assert "Authorization" in answer.headers["access-control-allow-headers"]
        for _ in range(MAX_WRONG + 1):
            answer = await client.get("/json", bearer(EVE))
            assert answer.headers["access-control-allow-origin"] == "https://a.example"
            # Without it no script of another origin reads what a cookie opens.
            assert "access-control-allow-credentials" not in answer.headers
        assert answer.status == 429
        assert (await client.get("/json", bearer(ALICE))).status == 200


# -- a token that is taken out ------------------------------------------------------------


async def test_a_token_that_is_taken_out_ends_its_streams_in_good_order(token_file: Path) -> None:
    """Within a second, with a last chunk; those of others go on, and its next request is refused."""
    async with (
        guarded(token_file) as served,
        served.connect() as hers,
        served.connect() as by_cookie,
        served.connect() as his,
        served.connect() as client,
    ):
        cookie = await signed_in(client)
        await hers.open_events("/events", bearer(ALICE))
        await by_cookie.open_events("/events?rate=50", cookie)
        await his.open_events("/events", bearer(BOB))
        for stream in (hers, his):
            assert (await stream.event()).json["seq"] == 3
        await until(lambda: served.hub.attached == 3)
        served.publish()
        assert (await hers.event()).json["seq"] == 4
        take_out_alice(token_file)
        assert admission_module.END_S < 1
        for stream in (hers, by_cookie):
            await ended(stream)
        served.publish(2)
        assert [(await his.event()).json["seq"] for _ in range(3)] == [4, 5, 6]
        for header in (bearer(ALICE), cookie):
            assert (await client.get("/json", header)).status == 401
        assert (await client.get("/json", bearer(BOB))).status == 200
        assert len(served.app.admission.readers) == 2  # his stream, and its end


async def test_nothing_that_comes_after_a_token_was_taken_out_reaches_its_streams(
    token_file: Path,
) -> None:
    """Not even what is published before the stream's task has its turn, and would be written into the
    socket for it."""
    async with guarded(token_file) as served, served.connect() as client:
        await client.open_events("/events", bearer(ALICE))
        assert (await client.event()).json["seq"] == 3
        await until(lambda: served.hub.attached == 1)
        await trio.testing.wait_all_tasks_blocked(cushion=0.005)
        served.app.admission.replace(ONLY_BOB)
        served.publish()
        with pytest.raises(NoMore, match="the last chunk came"):
            await client.event()


async def test_with_tls_it_is_the_same(token_file: Path, tmp_path: Path) -> None:
    """The form's cookie is for TLS only, and a stream has a proper end, with TLS's own goodbye."""
    files = make_files(tmp_path)
    async with guarded(token_file, tls=(files.cert, files.key)) as served:
        async with connect_tls(served.port) as client:
            answer = await post(client, f"token={ALICE}")
            assert answer.headers["set-cookie"].endswith("; Secure")
            cookie = f"Cookie: {answer.headers['set-cookie'].partition(';')[0]}"
            assert (await client.get("/json")).status == 401
            await client.open_events("/events", cookie)
            assert (await client.event()).json["seq"] == 3
            await until(lambda: served.hub.attached == 1)
            await trio.testing.wait_all_tasks_blocked(cushion=0.005)
            served.app.admission.replace(ONLY_BOB)
            served.publish()
            await ended(client)
        async with connect_tls(served.port) as client:
            assert (await client.get("/json", cookie)).status == 401


async def test_what_can_not_end_in_good_order_is_cut_off(
    token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader of history who takes nothing; also one whose answer has not begun."""
    monkeypatch.setattr(admission_module, "END_S", 0.0)
    record_source = FakeRecords(20_000)
    record_source.write(20_000)
    async with (
        guarded(token_file, record_source) as served,
        served.connect() as client,
    ):
        await client.send(request("/history", bearer(ALICE)))
        await client.head()
        await until(lambda: len(served.app.admission.readers) == 1)
        take_out_alice(token_file)
        assert not (await client.rest()).endswith(b"0\r\n\r\n")
        await served.quiet()


async def test_a_token_under_an_old_name_is_another_one(token_file: Path) -> None:
    """Who gets a new token under the same name has to show it."""
    async with guarded(token_file) as served, served.connect() as client:
        await client.open_events("/events", bearer(ALICE))
        token_file.write_text(f"alice {EVE}\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await ended(client)
        async with served.connect() as again:
            assert (await again.get("/json", bearer(EVE))).status == 200
            assert (await again.get("/json", bearer(ALICE))).status == 401


async def test_a_broken_file_changes_nothing(
    token_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The old tokens stay valid, with a warning."""
    async with guarded(token_file) as served, served.connect() as client:
        for break_it in (
            lambda: token_file.write_text(f"alice {ALICE}\nbob x\n"),
            lambda: token_file.chmod(0o644),
            token_file.unlink,
        ):
            caplog.clear()
            break_it()
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: "tokens not read again" in caplog.text)
            assert (await client.get("/json", bearer(ALICE))).status == 200


# -- the request cache ----------------------------------------------------------------------


def app_with(tokens: Tokens | None, hosts: Hosts | None = None) -> App:
    """An app with three samples, and these who may read."""
    record_source = FakeRecords()
    record_source.write(3)
    app = make_app(record_source)
    app.admission = Admission(app.metrics, tokens, hosts)
    return app


@pytest.fixture
def app() -> Iterator[App]:
    """An app for Alice and Bob."""
    app = app_with(TOKENS)
    yield app
    app.close()


def test_the_request_cache_answers_nobody_whose_token_was_taken_out(app: App) -> None:
    """Though its bytes and the answer to them are known, and the sample is the same."""
    data = request("/json", bearer(ALICE))
    hers = Request("GET", "/json", {}, {"authorization": f"Bearer {ALICE}"})
    app.request_cache.learn(data, hers)
    for _ in range(2):
        assert app._known_answer(data).startswith(b"HTTP/1.1 200")
    app.admission.replace(ONLY_BOB)
    assert app._known_answer(data) == b""
    app.admission.replace(TOKENS)
    assert app._known_answer(data).startswith(b"HTTP/1.1 200")


async def test_a_known_request_over_the_wire_ends_with_its_token(token_file: Path) -> None:
    """The same bytes on the same connection: answered from the cache, and then refused."""
    async with guarded(token_file) as served, served.connect() as client:
        data = request("/json", bearer(ALICE))
        for _ in range(3):
            await client.send(data)
            assert (await client.answer()).status == 200
        assert served.app.request_cache.find(data) is not None
        take_out_alice(token_file)
        await until(lambda: len(served.app.admission.tokens or ()) == 1)
        for _ in range(2):
            await client.send(data)
            assert (await client.answer()).status == 401


# -- hosts ------------------------------------------------------------------------------------


async def test_a_request_for_another_host_is_misdirected(token_file: Path) -> None:
    """Whatever it asks for, and also with a token: its page is another site's."""
    async with guarded(token_file) as served, served.connect() as client:
        for path in ("/json", "/livez", "/sign-in"):
            head = f"GET {path} HTTP/1.1\r\nHost: evil.example:3737\r\n{bearer(ALICE)}\r\n\r\n"
            await client.send(head.encode())
            answer = await client.answer()
            assert (answer.status, answer.reason) == (421, "Misdirected Request")
            assert "'evil.example:3737' is not allowed" in answer.json["reason"]
        assert served.app.metrics["hosts_refused"] == 3
        absolute = (
            f"GET http://evil.example/json HTTP/1.1\r\nHost: localhost\r\n{bearer(ALICE)}\r\n"
        )
        await client.send(f"{absolute}\r\n".encode())
        assert (await client.answer()).status == 421


@pytest.mark.parametrize(
    ("allow_host", "with_token", "host", "status"),
    [
        ("", False, "evil.example", 200),
        ("imu.example", False, "evil.example", 421),
        ("imu.example", False, "IMU.example:80", 200),
        ("imu.example", False, "127.0.0.1:80", 200),
        ("*", True, "evil.example", 200),
        ("a.example,imu.example", True, "imu.example", 200),
        ("imu.example", True, "test", 421),
    ],
)
async def test_the_hosts_that_are_allowed_are_those_of_the_option(
    token_file: Path, allow_host: str, with_token: bool, host: str, status: int
) -> None:
    """Beside addresses and its own names; without option and token, any."""
    file = str(token_file) if with_token else ""
    async with (
        serving(allow_host=allow_host, token_file=file) as served,
        served.connect() as client,
    ):
        await client.send(f"GET /json HTTP/1.1\r\nHost: {host}\r\n{bearer(ALICE)}\r\n\r\n".encode())
        assert (await client.answer()).status == status


# -- what is read, by token --------------------------------------------------------------------


def test_only_what_is_read_with_other_tokens_ends() -> None:
    """And only what is still being read; without a token nothing is kept."""
    readers, ended = Readers(), list[str]()
    alice, bob = Token.of("alice", ALICE), Token.of("bob", BOB)
    with readers.ended_by(alice, lambda: ended.append("over")):
        pass
    with (
        readers.ended_by(alice, lambda: ended.append("alice")),
        readers.ended_by(bob, lambda: ended.append("bob")),
        readers.ended_by(None, lambda: ended.append("anybody")),
    ):
        assert len(readers) == 2
        readers.end_all_but(Tokens([bob]))
        assert ended == ["alice"]
    assert len(readers) == 0


async def test_an_answer_that_begins_as_its_token_goes_is_refused(app: App) -> None:
    """Between the two looks at its request."""
    hers = Request("GET", "/history", {}, {"authorization": f"Bearer {ALICE}"})
    app.respond(hers)
    app.admission.replace(ONLY_BOB)
    with pytest.raises(RequestError, match="not valid"), app.admission.reading(hers):
        pass


async def test_a_served_app_reads_its_tokens_before_it_listens(token_file: Path) -> None:
    """A file that can't be used is one line, and no port is taken."""
    token_file.chmod(0o644)
    with pytest.raises(BaseExceptionGroup) as caught:
        async with guarded(token_file):
            raise AssertionError("it serves")
    assert "chmod 600" in str(caught.value.exceptions[0])


async def test_nothing_of_a_stream_is_sent_to_others(token_file: Path) -> None:
    """A stream that ends while its client is behind: reading from the ring, or waiting for it."""
    async with guarded(token_file, FakeRecords()) as served, served.connect() as client:
        await client.open_events("/events", bearer(ALICE))
        await trio.testing.wait_all_tasks_blocked(cushion=0.005)
        take_out_alice(token_file)
        with pytest.raises(NoMore):
            await client.event()
