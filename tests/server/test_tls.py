"""A real server with TLS, on real sockets."""

import logging
import ssl
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.helpers.certificates import (
    Files,
    client_context,
    connect_tls,
    make_files,
)
from tests.helpers.fakes import serving, until
from tests.helpers.http_client import PATIENCE_S, Client, NoMore, connect
from trio_mpu.errors import ServerError, UsageError
from trio_mpu.fanout.direct_write import DirectSocket
from trio_mpu.fanout.group import Group, Subscriber
from trio_mpu.server import run as server_run
from trio_mpu.server.reload import Reloader
from trio_mpu.settings import ServerSettings


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A certificate for a month."""
    return make_files(tmp_path)


def secure_stream(client: Client) -> Any:  # noqa: ANN401 - trio's, which has no types here
    """What the client talks over."""
    return client.stream


async def test_requests_are_answered_and_known_ones_without_waking(files: Files) -> None:
    """Over one connection, as without TLS."""
    async with serving(tls=(files.cert, files.key)) as served:
        async with connect_tls(served.port) as client:
            bodies = {(await client.get("/json")).body for _ in range(5)}
            assert len(bodies) == 1
            assert (await client.get("/nothing")).status == 404
        assert sum(known.uses for known in served.app.request_cache._known.values()) == 4
        await served.quiet()
        assert served.app.metrics["tls_failed"] == 0


async def test_sleeping_streams_are_written_to_by_the_hub(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sample once, in order, and no task is woken for it."""
    woken, wake = list[object](), Group.wake

    def see(group: Group, subscriber: Subscriber, socket: DirectSocket) -> None:
        woken.append(subscriber)
        wake(group, subscriber, socket)

    monkeypatch.setattr(Group, "wake", see)
    async with (
        serving(tls=(files.cert, files.key)) as served,
        connect_tls(served.port) as one,
        connect_tls(served.port) as two,
    ):
        for client in (one, two):
            await client.open_events()
            assert (await client.event()).json["seq"] == 3
        await until(lambda: len(next(iter(served.hub.forms))._asleep) == 2)
        for seq in range(4, 24):
            served.publish()
            for client in (one, two):
                assert (await client.event()).json["seq"] == seq
        assert woken == []


async def test_a_client_that_does_not_read_keeps_its_order(files: Files) -> None:
    """Its socket takes parts of what the hub writes; it reads all of it later, and then lives on."""
    async with serving(tls=(files.cert, files.key)) as served, connect_tls(served.port) as client:
        await client.open_events()
        assert (await client.event()).json["seq"] == 3
        group = next(iter(served.hub.forms))
        await until(lambda: len(group._asleep) == 1)
        count = 0
        while len(group._asleep):  # the buffers of both kernels are full
            served.publish(50)
            count += 50
            await trio.sleep(0)
        served.publish(5)
        for seq in range(4, 4 + count + 5):
            assert (await client.event()).json["seq"] == seq
        await until(lambda: len(group._asleep) == 1)
        served.publish()
        assert (await client.event()).json["seq"] == 4 + count + 5


async def test_a_new_certificate_is_for_new_connections(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream goes on; a file that is no good leaves the old one, with a warning."""
    caplog.set_level(logging.INFO)
    reloaders = list[Reloader]()

    class SeenReloader(Reloader):
        def __init__(self) -> None:
            super().__init__()
            reloaders.append(self)

    monkeypatch.setattr(server_run, "Reloader", SeenReloader)

    async def shown() -> object:
        async with connect_tls(served.port) as client:
            return secure_stream(client).getpeercert(binary_form=True)

    async def expiry() -> float:
        async with connect_tls(served.port) as client:
            text = (await client.get("/metrics")).body.decode()
            name = "trio_mpu_certificate_expiry_time_seconds"
            return float(text.partition(f"\n{name} ")[2].split()[0])

    async with serving(tls=(files.cert, files.key)) as served, connect_tls(served.port) as stream:
        await stream.open_events()
        assert (await stream.event()).json["seq"] == 3
        first = await shown()
        expires_s = await expiry()
        assert await shown() == first
        make_files(tmp_path, days=40)
        reloaders[0].reload()
        second = await shown()
        assert second != first
        assert await expiry() == pytest.approx(expires_s + 10 * 86_400, abs=60)
        Path(files.key).write_text("no key")
        reloaders[0].reload()
        assert await shown() == second
        served.publish()
        assert (await stream.event()).json["seq"] == 4
    assert "certificate: localhost, 127.0.0.1, until " in caplog.text
    assert "certificate not read again, the old ones stay: " in caplog.text


async def test_who_is_too_many_is_refused_in_tls(files: Files) -> None:
    """So that the client understands it."""
    async with (
        serving(tls=(files.cert, files.key), max_clients=1) as served,
        connect_tls(served.port) as client,
    ):
        assert (await client.get("/json")).status == 200
        async with connect_tls(served.port) as other:
            answer = await other.answer()
            assert (answer.status, answer.closes) == (503, True)
            await other.closed()
        assert (await client.get("/json")).status == 200


async def test_half_a_handshake_takes_a_place_as_any_connection(files: Files) -> None:
    """A crowd of them is bounded by --max-clients."""
    async with serving(tls=(files.cert, files.key), max_clients=2) as served:
        async with connect(served.port) as one, connect(served.port) as two:
            for half in (one, two):
                await half.send(b"\x16\x03\x01")
            await until(lambda: served.app.slot.get("connections_open") == 2)
            async with connect_tls(served.port) as third:
                assert (await third.answer()).status == 503
        await served.quiet()
        async with connect_tls(served.port) as client:
            assert (await client.get("/json")).status == 200


async def test_a_stop_ends_streams_in_good_order(files: Files) -> None:
    """The last chunk, the goodbye, and the end."""
    async with (
        serving(tls=(files.cert, files.key)) as served,
        connect_tls(served.port) as client,
        connect_tls(served.port) as idle,
    ):
        await idle.get("/json")
        await client.open_events()
        assert (await client.event()).json["seq"] == 3
        served.stop.set()
        with pytest.raises(NoMore, match="the last chunk came"):
            await client.event()
        await client.closed()
        await idle.closed()
        with trio.fail_after(PATIENCE_S):
            await served.stopped.wait()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        (ssl.TLSVersion.TLSv1, False),
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
async def test_only_sound_versions_are_spoken(
    files: Files, version: ssl.TLSVersion, *, accepted: bool
) -> None:
    """TLS 1.2 and 1.3, and forward secrecy with authenticated encryption in all of them."""
    context = client_context(version)
    context.set_ciphers("ALL:@SECLEVEL=0")  # whatever there is: the server chooses
    async with serving(tls=(files.cert, files.key)) as served:
        if not accepted:
            with pytest.raises(trio.BrokenResourceError):
                async with connect_tls(served.port, context):
                    pass
            return
        async with connect_tls(served.port, context) as client:
            assert (await client.get("/json")).status == 200
            name, _, bits = secure_stream(client).cipher()
            assert name.startswith(("ECDHE-", "TLS_"))
            assert "GCM" in name or "CHACHA20" in name
            assert bits >= 128


async def test_a_start_without_a_usable_certificate_is_one_line(files: Files) -> None:
    """Before anything listens."""
    settings = ServerSettings(port=0, ring="fake", tls_cert=files.cert)
    with pytest.raises(ServerError, match="name its file with --tls-key"):
        await server_run.run_server(settings, trio.Event())
    with pytest.raises(UsageError, match="--tls-key is for a certificate: give --tls-cert FILE"):
        ServerSettings(tls_key=files.key)


async def test_the_address_that_is_said_has_https(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    """It can be opened."""
    caplog.set_level(logging.INFO)
    async with serving(tls=(files.cert, files.key)) as served:
        assert f"open https://127.0.0.1:{served.port}/" in caplog.text
        assert "http://" not in caplog.text
