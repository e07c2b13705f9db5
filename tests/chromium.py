"""A headless Chromium over its debugging pipe: enough to open a page, press, read, photograph and list its requests."""

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
    """Where a Chromium is, if there is one."""
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


class Browser:
    """One browser process: a pipe there, a pipe back, and tabs that know nothing of one another."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._buffer = b""
        self._number = 0
        self._pages: dict[str, Page] = {}

    @contextmanager
    def page(self) -> Iterator[Page]:
        """A tab with storage and cache of its own, closed at the end."""
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
        """One command of the protocol, and its answer."""
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
                page.note(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            more = os.read(self._from, 1 << 16)
            if not more:
                raise AssertionError("Chromium has gone")
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
        """Size in CSS pixels, and the colour scheme the reader prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        """Go to a page and wait until its document is complete and its scripts, which come after a paint, have run."""
        self.call("Page.navigate", url=url)
        self.until(
            f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'"
            " && !document.getElementById('__scripts')"
        )

    def value(self, script: str) -> Any:
        """What a script's last expression is, as JSON."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {answer['exceptionDetails'].get('exception', answer)}")
        return answer["result"].get("value")

    def until(self, script: str, limit_seconds: float = 20) -> None:
        """Ask until the script says true."""
        deadline = time.monotonic() + limit_seconds
        while not self._says(script):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {limit_seconds} s: {script}")
            time.sleep(0.05)

    def _says(self, script: str) -> bool:
        try:
            return bool(self.value(f"Boolean({script})"))
        except AssertionError as problem:
            if "navigated" in str(problem):  # the page left while it was asked; the next one is asked again
                return False
            raise

    def press(self, key: str, text: str = "") -> None:
        """One key, down and up, on what has the focus; `text` is what it types."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": KEY_CODES.get(key, 0)}
        self.call("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def photograph(self, file: Path) -> None:
        """The visible part, as PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, to this tab."""
        return self._browser.call(method, self._session, **parameters)

    def note(self, event: dict[str, Any]) -> None:
        """Keep what the tab did by itself."""
        parameters = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(parameters["exceptionDetails"]))
        elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            if "ERR_NETWORK_CHANGED" in parameters["entry"]["text"]:
                return  # another network came up on this machine, as containers make them; the browser asks again
            self.problems.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")


@contextmanager
def browser(*flags: str) -> Iterator[Browser]:
    """A fresh browser with a profile of its own and these flags beside FLAGS, gone at the end."""
    found = program()
    if found is None:
        raise RuntimeError("no Chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        read_end, to_browser = os.pipe()
        from_browser, write_end = os.pipe()

        # Chromium reads commands at descriptor 3 and writes answers at 4; a shell's redirection puts them there.
        wiring = f'exec "$0" "$@" 3<&{read_end} 4>&{write_end}'
        command = ["bash", "-c", wiring, found, *FLAGS, *flags, f"--user-data-dir={profile}"]
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
    """One tab of a browser of its own."""
    with browser() as started, started.page() as opened:
        yield opened
