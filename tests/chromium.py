"""A headless Chromium over its debugging pipe: opens pages, presses keys, reads values, takes screenshots."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
)  # fmt: skip

KEY_CODES = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowLeft": 37, "ArrowRight": 39, "End": 35, "Home": 36}


def program() -> str | None:
    """The path of an installed Chromium, or None."""
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


class Browser:
    """A browser process with its two pipes, and tabs with separate storage."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._buffer = b""
        self._number = 0
        self._pages: dict[str, Page] = {}

    @contextmanager
    def page(self) -> Iterator[Page]:
        """A tab with its own storage and cache, closed at the end of the block."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._pages[session] = opened = Page(self, session)
        for domain in ("Page", "Network", "Runtime", "Log"):
            opened.call(f"{domain}.enable")
        try:
            yield opened
        finally:
            del self._pages[session]
            self.call("Target.disposeBrowserContext", browserContextId=context)

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """The result of a protocol command. Raises AssertionError for an error."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            if (page := self._pages.get(answer.get("sessionId", ""))) is not None:
                page.record(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            more = os.read(self._from, 1 << 16)
            if not more:
                raise AssertionError("Chromium has exited")
            self._buffer += more
        text, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(text))


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self.requests: list[str] = []
        self.problems: list[str] = []

    def view(self, width: int, height: int, *, dark: bool = False) -> None:
        """Set the size in CSS pixels and the preferred colour scheme."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        """Open a page and wait until its document is complete and its deferred scripts have run."""
        self.call("Page.navigate", url=url)
        self.until(
            f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'"
            " && !document.getElementById('__scripts')"
        )

    def value(self, script: str) -> Any:
        """The value of a script's last expression, as JSON. Raises AssertionError when the script throws."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {answer['exceptionDetails'].get('exception', answer)}")
        return answer["result"].get("value")

    def until(self, script: str, limit_seconds: float = 20) -> None:
        """Wait until the script's value is true. Raises AssertionError after `limit_seconds`."""
        deadline = time.monotonic() + limit_seconds
        while not self._is_true(script):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {limit_seconds} s: {script}")
            time.sleep(0.05)

    def _is_true(self, script: str) -> bool:
        try:
            return bool(self.value(f"Boolean({script})"))
        except AssertionError as problem:
            if "navigated" in str(problem):  # the tab navigated during the evaluation; try again
                return False
            raise

    def press(self, key: str, text: str = "") -> None:
        """Press and release a key on the focused element; `text` is the text it types."""
        event = {"key": key, "code": key, "windowsVirtualKeyCode": KEY_CODES.get(key, 0)}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def photograph(self, file: Path) -> None:
        """Save the visible part as PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a protocol command to this tab."""
        return self._browser.call(method, self._session, **parameters)

    def record(self, event: dict[str, Any]) -> None:
        """Record a request, an exception or a log error of the tab."""
        parameters = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(parameters["exceptionDetails"]))
        elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            if "ERR_NETWORK_CHANGED" in parameters["entry"]["text"]:
                return  # a network interface came up, for example of a container; the browser retries
            self.problems.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")


@contextmanager
def browser(*flags: str) -> Iterator[Browser]:
    """A new browser with its own profile and additional flags, terminated at the end of the block."""
    chromium = program()
    if chromium is None:
        raise RuntimeError("no Chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        read_end, to_browser = os.pipe()
        from_browser, write_end = os.pipe()

        # Chromium reads commands from descriptor 3 and writes responses to 4; the shell redirects the pipes to them.
        redirect = f'exec "$0" "$@" 3<&{read_end} 4>&{write_end}'
        command = ["bash", "-c", redirect, chromium, *FLAGS, *flags, f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            command, pass_fds=(read_end, write_end), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(read_end)
        os.close(write_end)
        try:
            yield Browser(to_browser, from_browser)
        finally:
            process.terminate()
            process.wait(timeout=10)
            os.close(to_browser)
            os.close(from_browser)


@contextmanager
def page() -> Iterator[Page]:
    """A tab in a new browser."""
    with browser() as started, started.page() as opened:
        yield opened
