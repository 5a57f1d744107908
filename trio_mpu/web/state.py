"""Handlers of what is known now: the newest sample, and health."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from trio_mpu import wall_clock
from trio_mpu.fanout.snapshot import WAITING, Snapshot
from trio_mpu.formats import sample_json
from trio_mpu.web.answer import Answer, json_answer, json_body
from trio_mpu.web.app import App
from trio_mpu.web.request import Request, notation, number, switch

# Bound "max_age=, most".
MAX_AGE_S: Final = 10**6


def latest(request: Request, app: App) -> Answer:
    """`/json`: the newest sample, fresh or not; 503 before the first one, and for one that is older
    than `max_age` seconds: some programs look at the status line only."""
    more: dict[str, object] = {}
    if switch(request.query, "verbose"):
        more = {
            "ledger": app.ledger(),
            "device": app.device(),
            "clock_offset": wall_clock.offset_ns() / 1e9,
            "now": time.time(),
        }
    status, _, origin, record, average = app.hub.snapshot
    if record is None or status == WAITING:
        return replace(_unavailable(app.hub.snapshot, more), reusable=not more)
    max_age_s = number(request.query, "max_age", 0, MAX_AGE_S)
    if max_age_s is not None and (age_s := (time.monotonic_ns() - record.t_ns) / 1e9) > max_age_s:
        reason = f"the newest sample is {age_s:.1f} s old, and max_age is {max_age_s:g} s"
        old = app.hub.snapshot._replace(status="stale" if status == "ok" else status, reason=reason)
        return replace(_unavailable(old, more), reusable=False)
    text = sample_json(
        record, average, origin, status, ledger=app.ledger, notation=notation(request.query)
    ).encode()
    # One object of two: `more` may be empty, a sample never is.
    body = text[:-1] + b"," + json_body(more)[1:] if more else text + b"\n"
    return Answer(200, body, reusable=max_age_s is None and not more)


def alive(_request: Request, _app: App) -> Answer:
    """`/livez`: 200 whenever the server serves, whatever the sensor does."""
    return json_answer(200, {"status": "ok"})


def health(_request: Request, app: App) -> Answer:
    """`/healthz`: 200 while samples are fresh."""
    workers = app.update_scoreboard()
    more = {"workers": workers.number, "workers_up": workers.up}
    if app.hub.snapshot.status != "ok":
        return _unavailable(app.hub.snapshot, more)
    return json_answer(200, {"status": "ok", **more})


def _unavailable(snapshot: Snapshot, more: Mapping[str, object]) -> Answer:
    return json_answer(503, {"status": snapshot.status, "reason": snapshot.reason, **more})
