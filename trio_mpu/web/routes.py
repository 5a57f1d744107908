"""Path → handler: every endpoint is one row here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trio_mpu.errors import RequestError
from trio_mpu.web import cors, event_stream, history, metrics, sign_in, state
from trio_mpu.web.admission import SIGN_IN
from trio_mpu.web.answer import ALLOW
from trio_mpu.web.app import App, Reply
from trio_mpu.web.history_query import PARAMETERS
from trio_mpu.web.request import NOTATION, Request, check_parameters, shown


@dataclass(frozen=True)
class Route:
    """An endpoint: what answers it, and the query parameters that it has."""

    handler: Callable[[Request, App], Reply]
    parameters: tuple[str, ...] = ()


ROUTES: Final = {
    "/json": Route(state.latest, ("verbose", "max_age", *NOTATION)),
    "/events": Route(event_stream.events, event_stream.PARAMETERS),
    "/history": Route(history.past, PARAMETERS),
    "/healthz": Route(state.health),
    "/livez": Route(state.alive),
    "/metrics": Route(metrics.metrics),
    SIGN_IN: Route(sign_in.form),
}


def respond(request: Request, app: App) -> Reply:
    """Return what to answer: from the table, or a file of the page.

    Raises RequestError where an error is the answer.
    """
    if request.method == "OPTIONS" and app.common_headers:
        return cors.preflight()
    if request.method == "POST" and request.path == SIGN_IN:
        return sign_in.sign(request, app)
    if request.method not in ("GET", "HEAD"):
        raise RequestError(405, f"only {ALLOW} here")
    if (route := ROUTES.get(request.path)) is not None:
        check_parameters(request, route.parameters)
        return route.handler(request, app)
    if (file := app.page.answer(request)) is not None:
        return file
    raise RequestError(404, f"there is no {shown(request.path)}")
