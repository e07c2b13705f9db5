"""The drawings of the architecture have an arrow for every call that a service makes, and no other."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from lab.paths import DOCS

NEAR = 4.0  # pixels between the end of an arrow and the box that it belongs to
SVG = "{http://www.w3.org/2000/svg}"
# From each process to those that it calls; the databases' link is a process of its own in the large drawing only.
BEHIND_THE_GATEWAY = {
    ("gateway", "feed"), ("gateway", "canary"), ("gateway", "user"), ("feed", "user"), ("canary", "user"),
    ("feed", "cache"), ("canary", "cache"), ("user", "cache"),
}  # fmt: skip
DATABASE = {(caller, "database") for caller in ("feed", "canary", "user")}
MAP = {("clients", "gateway")} | BEHIND_THE_GATEWAY | DATABASE
ARCHITECTURE = {("clients", "gateway"), ("link", "database")} | BEHIND_THE_GATEWAY
ARCHITECTURE |= {(caller, "link") for caller in ("feed", "canary", "user")}
NAMES = {
    "traffic": "clients", "Clients": "clients", "API gateway": "gateway", "feed, stable": "feed",
    "feed, canary": "canary", "feed-canary": "canary", "Valkey": "cache", "PostgreSQL": "database", "db": "database",
}  # fmt: skip
Box = tuple[float, float, float, float]


def boxes(root: ET.Element) -> dict[str, Box]:
    """The rectangles of the nodes by name: left, top, right, bottom."""
    found = {}
    for group in root.iter(f"{SVG}g"):
        rect, label = group.find(f"{SVG}rect"), group.find(f"{SVG}text")
        if rect is None or label is None:
            continue
        name = group.get("data-node") or label.text or ""
        left, top, width, height = (float(rect.get(key, "0")) for key in ("x", "y", "width", "height"))
        found[NAMES.get(name, name)] = (left, top, left + width, top + height)
    return found


def ends(path: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """The first and the last point of a path of the commands M, H, V and C."""
    points: list[tuple[float, float]] = []
    for command, numbers in re.findall(r"([MHVC])([^MHVC]*)", path):
        values = [float(number) for number in numbers.split()]
        if command == "H":
            points.append((values[-1], points[-1][1]))
        elif command == "V":
            points.append((points[-1][0], values[-1]))
        else:
            points.append((values[-2], values[-1]))
    return points[0], points[-1]


def calls(drawing: Path, arrow: str) -> set[tuple[str, str]]:
    """The boxes that each arrow of a class connects. Fails for an arrow that ends at no box."""
    root = ET.fromstring(drawing.read_text())  # noqa: S314 - a file of this repository
    nodes = boxes(root)

    def at(point: tuple[float, float]) -> set[str]:
        x, y = point
        return {
            name
            for name, (left, top, right, bottom) in nodes.items()
            if left - NEAR <= x <= right + NEAR and top - NEAR <= y <= bottom + NEAR
        }

    found = set()
    for path in root.iter(f"{SVG}path"):
        if path.get("class") == arrow:
            start, end = ends(path.get("d", ""))
            assert at(start) and at(end), f"{drawing.name}: {path.get('d')} connects {at(start)} and {at(end)}"
            (caller,), (called,) = at(start), at(end)
            found.add((caller, called))
    return found


@pytest.mark.parametrize(
    ("drawing", "arrow", "wanted"),
    [("map.svg", "edge", MAP), ("architecture.svg", "flow", ARCHITECTURE)],
)
def test_a_drawing_has_an_arrow_for_every_call_and_no_other(
    drawing: str, arrow: str, wanted: set[tuple[str, str]]
) -> None:
    assert calls(DOCS / "assets" / drawing, arrow) == wanted
