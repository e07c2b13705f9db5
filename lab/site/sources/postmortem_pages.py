"""A postmortem's page as a file: what only a person knows of it, and the numbers that a person typed.

The front matter says who wrote it and how far it is; everything else is read from the record by macros. A number typed
into a sentence is wrong as soon as the incident is recorded again, so it needs a reason on its line:
`<!-- typed: why no macro can give it -->`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError
from lab.site.sources.context import POSTMORTEMS
from lab.slo.specs.document import LOADER

DRAFT, REVIEWED = "draft", "reviewed"
STATUSES = (DRAFT, REVIEWED)
_FRONT = re.compile(r"\A---\n(.*?)^---$", re.DOTALL | re.MULTILINE)
_REASON = re.compile(r"<!--\s*typed:\s*\S.*?-->")
# What may hold a digit: macros, code, the target of a link, and names: INC-001, p99, T0, SEV2, N+1, 5xx, 1.1.0.
_MAY = re.compile(
    r"\{\{.*?\}\}|^ *```.*?^ *```|`[^`\n]*`|\]\([^)\n]*\)|<!--.*?-->"
    r"|^\d+\.(?= )|\bN\+1\b|\b[A-Za-z][\w-]*|\b[1-5]xx\b|\b\d+\.\d+\.\d+\b",
    re.DOTALL | re.MULTILINE,
)
_COUNT = "two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|sixty|hundred|thousand"
_COUNTED = "times|connections|retries|seconds|minutes|hours|requests|calls|users|people|queries"
_SPELLED = (
    rf"\b(?:{_COUNT})\s+(?:{_COUNTED})\b|\b(?:one|{_COUNT}) in (?:{_COUNT})\b|\ba (?:third|quarter|fifth|tenth)\b"
)
_TYPED = re.compile(rf"\d[\d.,]*|{_SPELLED}")


@dataclass(frozen=True)
class Signed:
    """How far a postmortem is, and the roles of those who wrote and read it."""

    status: str
    authors: tuple[str, ...]
    reviewers: tuple[str, ...]


def signed(file: Path, shown: str) -> Signed:
    """The front matter of a postmortem; LabError names the page, as `shown`, and the key that is wrong.

    A reviewed one was read by somebody who did not write it.
    """
    matter = _front_matter(file, shown)
    status = matter.get("status")
    if status not in STATUSES:
        raise LabError(f"{shown}: status must be one of {', '.join(STATUSES)} in the front matter, not {status!r}")
    authors, reviewers = (_roles(matter, key, shown) for key in ("authors", "reviewers"))
    if both := set(authors) & set(reviewers) if status == REVIEWED else set():
        raise LabError(f"{shown}: reviewers names {min(both)!r}, which is an author; another role has to read it")
    return Signed(str(status), authors, reviewers)


def _front_matter(file: Path, shown: str) -> dict[str, Any]:
    try:
        found = _FRONT.match(file.read_text(encoding="utf-8"))
        matter = yaml.load(found[1], Loader=LOADER) if found else None  # noqa: S506 - a safe loader
    except (OSError, yaml.YAMLError) as error:
        raise LabError(f"{shown}: its front matter cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(matter, dict):
        raise LabError(
            f"{shown}: has no front matter; it opens with status, authors and reviewers between lines of ---"
        )
    return matter


def _roles(matter: dict[str, Any], key: str, shown: str) -> tuple[str, ...]:
    roles = matter.get(key)
    if not isinstance(roles, list) or not roles or not all(isinstance(role, str) and role.strip() for role in roles):
        raise LabError(f"{shown}: {key} must be a list of roles in the front matter, e.g. [on-call engineer]")
    return tuple(roles)


def typed(text: str) -> list[tuple[int, str]]:
    """(line, number) of each number that stands in a page's prose without a macro and without a reason."""
    excused = {number for number, line in enumerate(text.splitlines(), 1) if _REASON.search(line)}
    prose = _MAY.sub(_blank, text)
    return [
        (number, found[0])
        for number, line in enumerate(prose.splitlines(), 1)
        if number not in excused
        for found in _TYPED.finditer(line)
    ]


def _blank(found: re.Match[str]) -> str:
    """Words stay, for numbers may be words; digits in names and everything else that may hold one go."""
    whole = found[0]
    return whole if whole.isalpha() else "\n" * whole.count("\n")


def require_no_typed(file: Path, page: str) -> None:
    """LabError naming the first number typed by hand in a postmortem; other pages are not asked."""
    if not page.startswith(f"{POSTMORTEMS}/INC-"):
        return
    for line, number in typed(file.read_text(encoding="utf-8")):
        raise LabError(f"line {line} has {number!r} typed by hand; read it with a macro, or say <!-- typed: why -->")
