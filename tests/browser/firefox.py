"""Firefox, driven over WebDriver BiDi, which it speaks by itself: no driver program in between.

Commands and events: https://www.w3.org/TR/webdriver-bidi/. Rules:
  1. A command has a deadline. There is none without an answer that its caller waits for.
  2. Events are taken while a command waits for its answer. They come in order, so what a page did
     before a command was answered is known when it is.
  3. Firefox and all that it started are killed at the end, whatever happened.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

from websockets.sync.client import ClientConnection, connect

from tests.helpers.programs import PATIENCE_S

from .shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_S = 30.0  # on a busy machine; 3 s on an idle one
POLL_S = 0.01
EVENTS = ("log.entryAdded", "network.beforeRequestSent")
PREFERENCES = """
user_pref("app.update.enabled", false);
user_pref("browser.startup.page", 0);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
"""
# Arguments and results travel as JSON, which is simpler than the protocol's own form of values.
CALLED = "async (text) => JSON.stringify((await ({})(...JSON.parse(text))) ?? null)"
KEYS = {
    "Enter": "\ue007",
    "Escape": "\ue00c",
    "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013",
    "ArrowRight": "\ue014",
    "ArrowDown": "\ue015",
}


class CommandFailed(Exception):
    """Firefox refused a command, or a function that it called has thrown."""


class Firefox:
    """A running Firefox, as the other end of its socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._tabs: dict[str, Tab] = {}

    def command(self, method: str, **params: object) -> dict[str, Any]:
        """Give a command and return its result.

        Raises CommandFailed, or TimeoutError if there is no answer within PATIENCE_S.
        """
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            message = json.loads(self._socket.recv(timeout=max(0, deadline_s - time.monotonic())))
            if message["type"] == "event":
                self._note(message["method"], message["params"])
            elif message.get("id") == number:
                if message["type"] == "error":
                    raise CommandFailed(f"{method}: {message['error']}: {message['message']}")
                result: dict[str, Any] = message["result"]
                return result

    def _note(self, event: str, params: dict[str, Any]) -> None:
        about = params.get("source", params).get("context")
        tab = self._tabs.get(about)
        if tab is None:
            return
        if event == "network.beforeRequestSent":
            tab.requests.append(params["request"]["url"])
        elif event == "log.entryAdded" and params["level"] in {"error", "warn"}:
            tab.complaints.append(str(params["text"]))

    def tab(self, *, beside: Tab | None = None) -> Tab:
        """Open an empty tab in front: of a user of its own, or in the window of another tab."""
        if beside is None:
            user = str(self.command("browser.createUserContext")["userContext"])
        else:
            user = beside.user
        context = self.command("browsingContext.create", type="tab", userContext=user)["context"]
        tab = self._tabs[context] = Tab(self, str(context), user)
        return tab

    def forget(self, tab: Tab) -> None:
        """Close all tabs of a tab's user, and remove what the user has stored."""
        self.command("browser.removeUserContext", userContext=tab.user)
        self._tabs = {key: other for key, other in self._tabs.items() if other.user != tab.user}


class Tab(Shown):
    """One tab and what it did: the addresses it asked for and the complaints of the browser, among
    them what the page's security policy refused."""

    def __init__(self, firefox: Firefox, context: str, user: str) -> None:
        self.context = context
        self.user = user
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._firefox = firefox

    def _command(self, method: str, **params: object) -> dict[str, Any]:
        return self._firefox.command(method, context=self.context, **params)

    def go(self, url: str) -> None:
        """Load a page, until its `load` event."""
        self._command("browsingContext.navigate", url=url, wait="complete")

    def reload(self) -> None:
        """Load the page again, until its `load` event."""
        self._command("browsingContext.reload", wait="complete")

    def move(self, delta: int) -> None:
        """Go through the history: -1 is back, 1 is forward."""
        self._command("browsingContext.traverseHistory", delta=delta)

    def to_front(self) -> None:
        """Make it the visible tab of its window; the one that was visible is hidden."""
        self._command("browsingContext.activate")

    def resize(self, width_px: int, height_px: int) -> None:
        """Give the page a window of this size."""
        self._command(
            "browsingContext.setViewport", viewport={"width": width_px, "height": height_px}
        )

    def evaluate(self, function: str, argument: object = None) -> Any:  # noqa: ANN401 - any JSON
        result = self._firefox.command(
            "script.callFunction",
            functionDeclaration=CALLED.format(function),
            arguments=[{"type": "string", "value": json.dumps([argument])}],
            target={"context": self.context},
            awaitPromise=True,
            userActivation=True,
        )
        if result["type"] == "exception":
            raise CommandFailed(str(result["exceptionDetails"]["text"]))
        return json.loads(result["result"]["value"])

    def screenshot(self) -> bytes:
        """The visible part of the page as PNG."""
        return base64.b64decode(self._command("browsingContext.captureScreenshot")["data"])

    def press(self, *keys: str) -> None:
        """Press and release keys, one after the other, where the focus is: characters or names in KEYS."""
        presses: list[dict[str, str]] = []
        for key in keys:
            value = KEYS.get(key, key)
            presses += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._act({"type": "key", "id": "keyboard", "actions": presses})

    def click(self, ident: str) -> None:
        """Click into the middle of an element, which is brought into view."""
        x, y = self.evaluate(
            """(id) => {
              const element = document.getElementById(id);
              element.scrollIntoView({ block: "center", behavior: "instant" });
              const { left, top, width, height } = element.getBoundingClientRect();
              return [Math.round(left + width / 2), Math.round(top + height / 2)];
            }""",
            ident,
        )
        moves = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._act({"type": "pointer", "id": "mouse", "actions": moves})

    def _act(self, source: dict[str, object]) -> None:
        self._command("input.performActions", actions=[source])


@contextlib.contextmanager
def running_firefox(program: str, profile: Path) -> Iterator[Firefox]:
    """Run Firefox without a window, with an empty profile in a folder, until the end of the block."""
    (profile / "user.js").write_text(PREFERENCES)
    command = [program, "--headless", "--no-remote", "--remote-debugging-port", "0"]
    process = subprocess.Popen(
        [*command, "--profile", str(profile)],
        env={**os.environ, "HOME": str(profile), "XDG_CONFIG_HOME": str(profile)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # so that it and all its children are one group
    )
    try:
        address = _address(process, profile / "WebDriverBiDiServer.json")
        with connect(address, open_timeout=START_S, max_size=None, proxy=None) as socket:
            firefox = Firefox(socket)
            firefox.command("session.new", capabilities={})
            firefox.command("session.subscribe", events=list(EVENTS))
            yield firefox
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _address(process: subprocess.Popen[bytes], file: Path) -> str:
    """Wait until Firefox has written where it listens."""
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        assert process.poll() is None, f"Firefox has ended with {process.returncode}"
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            server = json.loads(file.read_text())
            return f"ws://{server['ws_host']}:{server['ws_port']}/session"
        time.sleep(POLL_S)
    raise TimeoutError(f"Firefox does not listen after {START_S:g} s")
