"""The system's Chromium, driven by Playwright, which downloads no browser of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

expect.set_options(timeout=20_000)  # milliseconds; a busy machine is slow


def program() -> str | None:
    """The path of an installed Chromium, or None."""
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


@contextmanager
def browser(*flags: str) -> Iterator[Browser]:
    """A new headless browser with additional flags, closed at the end of the block."""
    with sync_playwright() as playwright:
        arguments = ["--disable-gpu", "--disable-quic", *flags]
        with playwright.chromium.launch(executable_path=program(), args=arguments) as started:
            yield started


def visit(page: Page, url: str) -> None:
    """Open a page of the site and wait until its deferred scripts have run."""
    page.goto(url)
    expect(page.locator("#__scripts")).to_have_count(0)


def problems(context: BrowserContext) -> list[str]:
    """The errors on the console and the exceptions of all tabs of the context, from now on."""
    found: list[str] = []

    def record(message: ConsoleMessage) -> None:
        # A network interface came up, for example of a container; the browser retries.
        if message.type == "error" and "ERR_NETWORK_CHANGED" not in message.text:
            found.append(f"{message.text} {message.location['url']}")

    context.on("console", record)
    context.on("weberror", lambda exception: found.append(str(exception.error)))
    return found
