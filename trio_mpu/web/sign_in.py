"""`/sign-in`: a form that gives a browser the cookie for a token, and takes it away again.

It works without scripts; with one, it leads back to the very view that was asked for. Nothing that a
client sent is put into it.
"""

from functools import partial
from html import escape
from typing import Final
from urllib.parse import parse_qs

from trio_mpu.access.cookie import removal, setting
from trio_mpu.errors import RequestError
from trio_mpu.web.admission import redirect
from trio_mpu.web.answer import Answer, Headers
from trio_mpu.web.app import App
from trio_mpu.web.pieces import FromBody
from trio_mpu.web.request import Request

# Bound "sign-in form, bytes".
MAX_FORM_BYTES: Final = 4096  # a token has 256 at the most
_MAX_FIELDS: Final = 8
_TO_PAGE: Final = "./"  # it is in the folder of the form
FORM_TYPE: Final = "application/x-www-form-urlencoded"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>trio-mpu · sign in</title>
  <link rel="icon" href="static/favicon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="static/sign-in.css">
  <script type="module" src="static/sign-in.js"></script>
</head>
<body>
  <main>
    <h1>trio-mpu</h1>
{content}  </main>
</body>
</html>
"""
_FORM: Final = """\
    <form method="post" action="sign-in">
      <p role="alert">{message}</p>
      <label for="token">Token</label>
      <input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
      <button>Sign in</button>
    </form>
"""
_SIGNED_IN: Final = """\
    <p>Signed in with the token <strong>{name}</strong>.</p>
    <p><a href="./">Show the sensor</a></p>
    <form method="post" action="sign-in"><button name="sign-out" value="1">Sign out</button></form>
"""
_NOT_NEEDED: Final = """\
    <p>This server needs no token.</p>
    <p><a href="./">Show the sensor</a></p>
"""


def form(request: Request, app: App) -> Answer:
    """`/sign-in`: the form, or how to sign out."""
    if app.admission.tokens is None:
        return _page(200, _NOT_NEEDED)
    if (token := app.admission.shown_token(request)) is not None:
        return _page(200, _SIGNED_IN.format(name=escape(token.name)))
    return _page(200, _FORM.format(message=""))


def sign(request: Request, app: App) -> FromBody:
    """POST to `/sign-in`: in, with `token`, or out, with `sign-out`. Raises RequestError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM_TYPE:
        raise RequestError(415, f"the sign-in form comes as {FORM_TYPE}")
    return FromBody(partial(_sign, request, app), MAX_FORM_BYTES)


def _sign(request: Request, app: App, body: bytes) -> Answer:
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise RequestError(400, "this is not what the sign-in form sends") from error
    if "sign-out" in fields:
        token = app.admission.shown_token(request)
        return redirect("sign-in", *([] if token is None else [_cookie(removal(token.cookie))]))
    if (tokens := app.admission.tokens) is None:
        return redirect(_TO_PAGE)
    shown = fields.get("token", [""])[-1].strip()  # who copies one may copy a space, too
    if (token := tokens.find(shown)) is None:
        return _wrong(request, app)
    app.metrics.count("sign_ins")
    return redirect(_TO_PAGE, _cookie(setting(token.cookie, secure=request.secure)))


def _wrong(request: Request, app: App) -> Answer:
    """Show the form again, with what is wrong: people don't read JSON."""
    try:
        app.admission.note_wrong(request.address)
    except RequestError as error:
        return _page(error.status, _FORM.format(message=f"{error}."), error.headers)
    return _page(403, _FORM.format(message="This token is not valid."))


def _cookie(value: str) -> tuple[str, str]:
    return "Set-Cookie", value


def _page(status: int, content: str, more: Headers = ()) -> Answer:
    body = _PAGE.format(content=content).encode()
    headers = (*_HEADERS, *more)
    return Answer(status, body, "text/html; charset=utf-8", headers, reusable=False)
