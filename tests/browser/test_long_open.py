"""A page that stays open: for a day, over clocks that jump, and in the memory of a browser that goes back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.helpers.programs import System, eventually, get

from .scripted import assert_balanced, expect_state, wait_for_newer

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from .conftest import Visit

    Open = Callable[..., Visit]

DAY_S = 86_400
EVENTS_HZ = 2  # 170,000 in a day: as many as a test has time for
SAMPLES = 500  # in each: of a sensor at 1,000 Hz
GAP_EVERY_S = 60
LOST = 5  # samples in each gap
MOST_GROWTH_BYTES = 1_000_000  # of what a page keeps: a day of 8 bytes an event would be 1,400,000

# A day of means as fast as the page takes them, by a clock that goes with them. What else the page asks for is refused,
# but for /json, which agrees with the stream.
A_DAY = """
const { fetch } = window;
const clocks = { date: Date.now, now: performance.now.bind(performance), frame: requestAnimationFrame };
let sent = 0;
let until = 0;
let later_ms = 0;
let asked = () => {};
performance.now = () => clocks.now() + later_ms;
Date.now = () => clocks.date() + later_ms;
window.requestAnimationFrame = (call) => clocks.frame.call(window, (now_ms) => call(now_ms + later_ms));

/** Lets this many events be sent in all. */
window.sendUntil = (events) => { until = events; asked(); };
window.sentSoFar = () => sent;

const values = (at) => ({ ax: at(0), ay: at(1), az: 1 + at(2), gx: at(3), gy: at(4), gz: at(5), temp: 25 + at(6) });

function event(k) {
  const wave = (axis) => Math.round(1e6 * Math.sin(k / 7 + axis)) / 1e6;
  const gap = k > 0 && k % GAP_EVENTS === 0;
  const seq = (k + 1) * SAMPLES + LOST * Math.floor(k / GAP_EVENTS);
  const first = seq - SAMPLES - LOST;
  return {
    status: "ok", sample: values(wave), average: values(wave),
    n: SAMPLES, min: values((axis) => wave(axis) - 0.5), max: values((axis) => wave(axis) + 0.5), std: values(() => 0.1),
    timestamp: 1764000000, seq, id: `9f86d081884c7d65-${seq}`, time: 1764000000 + k / EVENTS_HZ,
    t_ns: 123e9 + (k * 1e9) / EVENTS_HZ, source: "i2c:1:0x68", flags: gap ? ["device_gap"] : [],
    ...(gap ? { gap: { from: first, to: first + LOST + 1, lost: LOST, reason: "lapped" } } : {}),
  };
}

const device = { chip: "MPU-6050", calibration: "", period_ns: 1e6, pid: 1, started: 1764000000 };
const json = (status, body) => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
const encoder = new TextEncoder();

async function pull(controller) {
  if (sent >= until) await new Promise((go) => { asked = go; });
  let text = "";
  for (let i = 0; i < 100 && sent < until; i += 1, sent += 1) {
    const each = event(sent);
    text += `id: ${each.id}\\ndata: ${JSON.stringify(each)}\\n\\n`;
    later_ms += 1000 / EVENTS_HZ;
  }
  controller.enqueue(encoder.encode(text));
  await new Promise((go) => setTimeout(go)); // the page paints, asks and rests in between
}

window.fetch = async (url, options) => {
  const { pathname, search } = new URL(url, location);
  if (pathname.endsWith("/events")) {
    return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }), { headers: { "Content-Type": "text/event-stream" } });
  }
  if (pathname.endsWith("/json")) {
    const { n, min, max, std, gap, ...latest } = event(Math.max(0, sent - 1));
    return json(200, search.includes("verbose") ? { ...latest, device, ledger: {} } : latest);
  }
  return json(503, { reason: "the past is not to be had" });
};
"""


def a_day(page: Page) -> None:
    """A preparation: what is written above, with our constants."""
    constants = {
        "EVENTS_HZ": EVENTS_HZ,
        "SAMPLES": SAMPLES,
        "LOST": LOST,
        "GAP_EVENTS": GAP_EVERY_S * EVENTS_HZ,
    }
    lines = [f"const {name} = {value};" for name, value in constants.items()]
    page.add_init_script("\n".join([*lines, A_DAY]))
    # What the page shows first is asked for before its modules are there.
    page.route("**/json", lambda route: route.fulfill(json={"flags": [], "sample": {}}))


def kept_bytes(page: Page) -> int:
    """What the page keeps in memory: objects and arrays, garbage collected."""
    line = page.context.new_cdp_session(page)
    line.send("HeapProfiler.collectGarbage")
    heap = line.send("Runtime.getHeapUsage")
    line.detach()
    return int(heap["usedSize"] + heap["backingStorageSize"])


@pytest.mark.timeout(120)
def test_a_day_open_does_not_grow(idle_system: System, visit: Open) -> None:
    """A page that took a day of events keeps hardly more than after an hour, and every figure is that of the last."""
    idle_system.start("server")
    eventually(lambda: get(idle_system.url + "/livez")[0] == 200, "the server answers")
    page = visit(idle_system, prepare=a_day)

    kept = []
    for hour in range(1, 25):
        events = hour * 3600 * EVENTS_HZ
        page.evaluate("(events) => window.sendUntil(events)", events)
        wanted = events * SAMPLES
        eventually(lambda wanted=wanted: int(page.accounts()["received"]) == wanted, "all is taken")  # type: ignore[misc]
        kept.append(kept_bytes(page.page))
    assert max(kept) - kept[0] < MOST_GROWTH_BYTES

    gaps = DAY_S // GAP_EVERY_S - 1
    accounts = assert_balanced(page)
    assert (accounts["gaps"], accounts["lost"]) == (str(gaps), str(gaps * LOST))
    assert page.state() == "live"
    assert page.complaints == []


@pytest.mark.parametrize("seconds", [3600, -3600], ids=["forward", "back"])
def test_clock_that_jumps_changes_nothing(system: System, visit: Open, seconds: int) -> None:
    """When the computer's clock is set, an open page stays live, on the same stream, and misses nothing."""
    page = visit(system)
    expect_state(page, "live")
    wait_for_newer(page)
    streams = len(page.streams())
    page.evaluate("(seconds) => window.letTimePass(seconds)", seconds)
    before = int(page.accounts()["received"])
    eventually(lambda: int(page.accounts()["received"]) > before + 150, "the samples go on")
    assert page.state() == "live"
    assert len(page.streams()) == streams
    assert assert_balanced(page)["gaps"] == "0"


def test_clock_set_back_while_hidden_costs_nothing(system: System, visit: Open) -> None:
    """A hidden page whose clock was set back meanwhile returns to the present, and knows what it missed."""
    page = visit(system)
    expect_state(page, "live")
    wait_for_newer(page)
    page.sleep(-3600)
    expect_state(page, "live")
    wait_for_newer(page)
    assert assert_balanced(page)["gaps"] == "0"


def test_page_that_is_gone_back_to_resumes(system: System, visit: Open) -> None:
    """A page that the browser had put aside holds no stream there, and goes on after its last sample."""
    page = visit(system)
    expect_state(page, "live")
    wait_for_newer(page)
    page.evaluate("() => { window.isTheSame = true; }")
    first = page.accounts()["firstSeq"]
    page.page.goto(f"{system.url}/healthz")
    eventually(lambda: system.streams_open() == 0, "it holds no stream")
    page.page.go_back(wait_until="commit")
    expect_state(page, "live")
    wait_for_newer(page)
    assert page.evaluate("() => window.isTheSame")
    accounts = assert_balanced(page)
    assert (accounts["firstSeq"], accounts["gaps"], accounts["skipped"]) == (first, "0", "0")
