"""The page and its data through real proxies, below a prefix, as deploy/proxy sets them up."""

import contextlib
import http.client
import json
import re
import statistics
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest

from benchmarks.built import Missing
from benchmarks.proxies import late_ms
from benchmarks.proxy_rig import KINDS, proxy
from tests.helpers.programs import PATIENCE_S, System, eventually, fresh_ring, running

PREFIX = "/imu/"
# Of nothing but a file of the page, what it names: of HTML, of a style sheet, of a module.
NAMED = re.compile(r"""(?:\b(?:src|href)=|\bimport\b[^"';]*|\bfrom |url\()["']?([\w./-]+)""")


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A system whose ring has a few thousand samples."""
    with fresh_ring() as ring, running(ring, device="sim:seed=1", rate=1000) as system:
        eventually(lambda: system.json()["seq"] > 2000, "no samples")
        yield system


@pytest.fixture(scope="module", params=KINDS)
def port(request: pytest.FixtureRequest, system: System) -> Iterator[int]:
    """The port of a proxy before it."""
    with contextlib.ExitStack() as stack:
        try:
            port = stack.enter_context(proxy(request.param, system.port))
        except Missing as missing:
            pytest.skip(str(missing))
        yield port


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, header fields and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def test_the_page_and_all_its_files_are_found_below_the_prefix(port: int) -> None:
    """Whatever a file of the page names, from the page on."""
    seen, todo = set[str](), {PREFIX}
    while todo:
        path = todo.pop()
        seen.add(path)
        status, headers, body = get(port, path)
        assert status == 200, path
        if path.startswith(f"{PREFIX}static/") or path == PREFIX:
            assert headers["etag"]
            named = {urljoin(path, each) for each in NAMED.findall(body.decode())}
            files = {each for each in named if re.search(r"\.(js|css|svg)$", each)}
            assert all(each.startswith(PREFIX) for each in files), files
            todo |= files - seen
    assert len(seen) > 50


def test_the_prefix_without_a_slash_leads_to_the_page(port: int) -> None:
    """Relative names would lead elsewhere from there."""
    status, headers, _ = get(port, PREFIX.rstrip("/"))
    assert status in (301, 302)
    page = f"http://127.0.0.1:{port}{PREFIX}"
    assert urljoin(page.rstrip("/"), headers["location"]) == page


def test_a_query_is_passed_on(port: int) -> None:
    """With what is quoted in it."""
    assert "ledger" in json.loads(get(port, f"{PREFIX}json?verbose=1")[2])
    status, _, body = get(port, f"{PREFIX}json?a%26b=%3D")
    assert status == 400
    assert b"'a&b'" in body


def test_a_client_resumes_through_it(port: int) -> None:
    """By the header that browsers send."""
    sample = json.loads(get(port, f"{PREFIX}json")[2])
    generation = sample["id"].partition("-")[0]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        last_id = f"{generation}-{sample['seq'] - 1000}"
        connection.request("GET", f"{PREFIX}events", headers={"Last-Event-ID": last_id})
        answer = connection.getresponse()
        assert answer.getheader("Last-Event-ID") == last_id
        for line in iter(answer.readline, b""):
            if line.startswith(b"id: "):
                assert line == f"id: {generation}-{sample['seq'] - 999}\n".encode()
                return
    pytest.fail("the stream has ended")


def test_an_event_is_not_kept_back(port: int, system: System) -> None:
    """Ten a second: a buffer of 4 kB would hold them for a second, and TCP's delay for 0.2 s."""
    direct_ms = statistics.median(late_ms(system.port, "/events?rate=10", 8, settle=2))
    through_ms = statistics.median(late_ms(port, f"{PREFIX}events?rate=10", 8, settle=2))
    assert through_ms < direct_ms + 80


def test_a_long_history_arrives_whole(port: int, system: System) -> None:
    """All rows, in order, with a proper end."""
    status, _, body = get(port, f"{PREFIX}history?format=csv")
    assert status == 200
    numbers = [int(line.split(b",")[0]) for line in body.splitlines()[1:]]
    assert len(numbers) > 2000
    assert numbers == [*range(numbers[0], numbers[0] + len(numbers))]


def test_errors_are_the_servers_own(port: int) -> None:
    """With its words."""
    status, _, body = get(port, f"{PREFIX}nothing")
    assert (status, b"there is no /nothing" in body) == (404, True)
