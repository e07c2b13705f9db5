"""Relative addresses inside the site."""

from __future__ import annotations

import posixpath


def page_url(source: str) -> str:
    """The address of a docs file below the site's root: `03_runbooks.md` gives `03_runbooks/`, an asset itself."""
    if not source.endswith(".md"):
        return source
    stem = source.removesuffix(".md")
    if stem == "index":
        return ""
    if stem.endswith("/index"):
        return stem.removesuffix("index")
    return f"{stem}/"


def between(origin: str, target: str) -> str:
    """The relative address from docs file `origin` to `target`, which may carry a `#fragment`."""
    path, _, fragment = target.partition("#")
    start = page_url(origin)
    start = start if start.endswith("/") or not start else posixpath.dirname(start)
    goal = page_url(path)
    relative = posixpath.relpath(goal or ".", start or ".")
    if goal.endswith("/") or not goal:
        relative += "/"
    return f"{relative}#{fragment}" if fragment else relative
