"""The source of a postmortem page: its front matter, and the numbers typed into its prose.

The front matter names the authors, the reviewers and the status; macros read everything else from the record. A number
typed into a sentence becomes wrong when the incident is recorded again, so it needs a reason on its line:
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
# Text that may hold a digit: macros, code, link targets and names such as INC-001, p99, T0, SEV2, N+1, 5xx, 1.1.0.
_EXEMPT = re.compile(
    r"\{\{.*?\}\}|^ *```.*?^ *```|`[^`\n]*`|\]\([^)\n]*\)|<!--.*?-->"
    r"|^\d+\.(?= )|\bN\+1\b|\b[A-Za-z][\w-]*|\b[1-5]xx\b|\b\d+\.\d+\.\d+\b",
    re.DOTALL | re.MULTILINE,
)
_COUNT = "two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|sixty|hundred|thousand"
_COUNTED = (
    "times|connections|retries|seconds|minutes|hours|requests|calls|users|people|queries"
    "|alerts|changes|replicas|services|slos|steps|an item"
)
_SPELLED = (
    rf"\b(?:{_COUNT})[\s-]+(?:{_COUNTED})\b|\b(?:one|{_COUNT}) in (?:{_COUNT})\b|\ba (?:third|quarter|fifth|tenth)\b"
)
_TYPED = re.compile(rf"\d[\d.,]*|{_SPELLED}", re.IGNORECASE)


@dataclass(frozen=True)
class FrontMatter:
    """The status of a postmortem (one of STATUSES) and the roles of its authors and reviewers."""

    status: str
    authors: tuple[str, ...]
    reviewers: tuple[str, ...]


def front_matter(file: Path, shown: str) -> FrontMatter:
    """The front matter of a postmortem page; errors call the page `shown`.

    Raises LabError that names the wrong key, also when an author of a reviewed postmortem is its reviewer.
    """
    matter = _yaml(file, shown)
    status = matter.get("status")
    if status not in STATUSES:
        raise LabError(f"{shown}: status must be one of {', '.join(STATUSES)} in the front matter, not {status!r}")
    authors, reviewers = (_roles(matter, key, shown) for key in ("authors", "reviewers"))
    if both := set(authors) & set(reviewers) if status == REVIEWED else set():
        raise LabError(f"{shown}: reviewers names {min(both)!r}, which is an author; name another role")
    return FrontMatter(str(status), authors, reviewers)


def _yaml(file: Path, shown: str) -> dict[str, Any]:
    try:
        block = _FRONT.match(file.read_text(encoding="utf-8"))
        matter = yaml.load(block[1], Loader=LOADER) if block else None  # noqa: S506 - a safe loader
    except (OSError, yaml.YAMLError) as error:
        raise LabError(f"{shown}: its front matter cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(matter, dict):
        raise LabError(
            f"{shown}: has no front matter; start it with status, authors and reviewers between lines of ---"
        )
    return matter


def _roles(matter: dict[str, Any], key: str, shown: str) -> tuple[str, ...]:
    roles = matter.get(key)
    if not isinstance(roles, list) or not roles or not all(isinstance(role, str) and role.strip() for role in roles):
        raise LabError(f"{shown}: {key} must be a list of roles in the front matter, e.g. [on-call engineer]")
    return tuple(roles)


def typed_numbers(text: str) -> list[tuple[int, str]]:
    """(line, number) of each number in a page's prose that no macro gives and no comment explains; digits or words."""
    explained = {number for number, line in enumerate(text.splitlines(), 1) if _REASON.search(line)}
    prose = _EXEMPT.sub(_blank, text)
    return [
        (number, match[0])
        for number, line in enumerate(prose.splitlines(), 1)
        if number not in explained
        for match in _TYPED.finditer(line)
    ]


def _blank(exempt: re.Match[str]) -> str:
    """Keeps words, since a number may be spelled out, and removes all other exempt text but its line breaks."""
    text = exempt[0]
    return text if text.isalpha() else "\n" * text.count("\n")


def require_no_typed_number(file: Path, page: str) -> None:
    """Raises LabError for the first number typed by hand, if `page` is a postmortem; other pages may hold numbers."""
    if not page.startswith(f"{POSTMORTEMS}/INC-"):
        return
    for line, number in typed_numbers(file.read_text(encoding="utf-8")):
        raise LabError(f"line {line} has {number!r} typed by hand; use a macro, or give a reason: <!-- typed: why -->")
