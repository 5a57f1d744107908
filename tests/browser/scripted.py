"""What the tests of the page share: what is expected of it, and streams that say just this."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route, expect

from tests.helpers.programs import PATIENCE_S, eventually

if TYPE_CHECKING:
    from .conftest import Visit
    from .shown import Shown

expect.set_options(timeout=PATIENCE_S * 1000)

GENERATION = "9f86d081884c7d65"


def expect_state(visit: Visit, *states: str) -> None:
    expect(visit.page.locator("#connection")).to_have_attribute(
        "data-state", re.compile(f"^({'|'.join(states)})$")
    )


def wait_for_newer(visit: Shown) -> None:
    """Wait until the page has taken at least one more sample."""
    before = visit.accounts()["received"]
    eventually(lambda: visit.accounts()["received"] != before, "another sample reaches the page")


def assert_balanced(visit: Shown) -> dict[str, str]:
    """Within one generation, every number since the first was received, once, or reported lost or skipped."""
    accounts = visit.accounts()
    counted = sum(int(accounts[name]) for name in ("received", "lost", "skipped"))
    newest = int(accounts["lastId"].rpartition("-")[2])
    assert counted == newest - int(accounts["firstSeq"]) + 1
    assert accounts["repeats"] == "0"
    return accounts


def sample(seq: int, **changes: object) -> str:
    """One sample as the stream carries it, a hundredth of a second after its predecessor."""
    reading = {
        "ax": 0.0,
        "ay": -0.0004,
        "az": 1.0,
        "gx": -12.345,
        "gy": 0.0,
        "gz": 250.0,
        "temp": -3.5,
    }
    event = {
        "status": "ok",
        "sample": reading,
        "average": reading,
        "timestamp": 1_764_000_000,
        "seq": seq,
        "id": f"{GENERATION}-{seq}",
        "time": 1_764_000_000 + seq / 100,
        "t_ns": 123_000_000_000 + seq * 10_000_000,
        "source": "i2c:1:0x68",
        "flags": [],
    } | changes
    return f"id: {event['id']}\ndata: {json.dumps(event)}\n\n"


def gap(first: int | None, last: int | None, lost: int | None, reason: str) -> dict[str, object]:
    return {"from": first, "to": last, "lost": lost, "reason": reason}


class Script:
    """What a page hears for each request for the stream: the next of `said`, or a 503 when there is none; and
    from the history, points of the samples of the numbers `past`. To be used as a visit's `prepare`."""

    def __init__(self, *said: str, past: range | None = None) -> None:
        self.said = list(said)
        self.past = past

    def __call__(self, page: Page) -> None:
        page.route("**/events*", self._stream)
        if self.past is not None:
            page.route("**/history?points=*", self._history)

    def _stream(self, route: Route) -> None:
        if self.said:
            body = "retry: 1000\n\n" + self.said.pop(0)
            route.fulfill(content_type="text/event-stream", body=body)
        else:
            route.fulfill(
                status=503,
                content_type="application/json",
                body='{"reason": "nothing more to say"}',
            )

    def _history(self, route: Route) -> None:
        assert self.past is not None
        asked = parse_qs(urlsplit(route.request.url).query)
        begin, end = float(asked["from"][0]), float(asked["to"][0])
        points = [point(seq) for seq in self.past]
        within = [each for each in points if begin <= each["time"] < end]
        route.fulfill(json={"window_s": 0.01, "points": within})


def saying(*events: str) -> Script:
    """A preparation that answers the first request for the stream with `events`, and further ones with a 503."""
    return Script("".join(events))


def point(seq: int) -> dict[str, Any]:
    """The same sample as a window of the history."""
    event = json.loads(sample(seq).partition("data: ")[2])
    values = dict.fromkeys(("min", "mean", "max"), event["sample"])
    return {"time": event["time"], "n": 1, **values, "gaps": 0, "lost": 0}


CHARTS = {"a": "acceleration", "g": "angular-rate", "t": "temperature"}
LEFT_PX = 46  # left of a plot's curves…
FOOT_PX = 18  # …and below them


def chart(axis: str) -> str:
    """The selector of the canvas that plots an axis."""
    return f"#chart-{CHARTS[axis[0]]} canvas"


def width_of(page: Page, axis: str) -> float:
    """How wide the curve of an axis can be, in pixels."""
    return float(page.locator(chart(axis)).evaluate("(canvas) => canvas.width")) - LEFT_PX


class Evaluates(Protocol):
    """A page of any browser, as far as its scripts go."""

    def evaluate(self, function: str, argument: Any = None, /) -> Any:  # noqa: ANN401 - any JSON
        """Call a JavaScript function in the page with an argument; return what it gives."""
        ...


def inked(page: Evaluates, axis: str) -> dict[int, tuple[int, int]]:
    """The pixel columns of a plot that hold the ink of an axis, and the uppermost and the lowest row in each."""
    columns: list[tuple[int, int, int]] = page.evaluate(
        """([selector, name, left, foot]) => {
          const canvas = document.querySelector(selector);
          const value = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
          const rgb = (name) => value(name).match(/\\w\\w/g).map((part) => parseInt(part, 16));
          const ink = rgb(name);
          const paper = rgb("--paper");
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          const columns = [];
          for (let x = left; x < width; x += 1) {
            const rows = [];
            for (let y = 0; y < height - foot; y += 1) {
              const i = 4 * (y * width + x);
              // A band, or a smooth edge, is a mixture.
              const near = [0.4, 0.5, 0.6, 0.75, 1].some((share) => ink.every(
                (part, k) => Math.abs(paper[k] + share * (part - paper[k]) - data[i + k]) < 20));
              if (near) rows.push(y);
            }
            if (rows.length > 0) columns.push([x, rows[0], rows.at(-1)]);
          }
          return columns;
        }""",
        [chart(axis), f"--{axis[0] if axis == 'temp' else axis[1]}", LEFT_PX, FOOT_PX],
    )
    return {column: (upper, lower) for column, upper, lower in columns}


def inked_columns(page: Evaluates, axis: str) -> list[int]:
    """The pixel columns of a plot that hold the ink of an axis, in order."""
    return list(inked(page, axis))
