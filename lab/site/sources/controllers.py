"""What rollout controllers do in the same cases: controllers.yml beside this module. Every statement has a source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.slo.specs.document import Node, read_documents

FILE = Path(__file__).parent / "controllers.yml"
CONTROLLERS = {"argo": "Argo Rollouts", "flagger": "Flagger", "kayenta": "Kayenta"}


@dataclass(frozen=True)
class Statement:
    """What a controller does, and the addresses where that was read."""

    text: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """One case. `here` is what this lab's controller does; `others` by the keys of CONTROLLERS, without the unknown."""

    case: str
    here: str
    others: dict[str, Statement]


def cases(file: Path = FILE) -> list[Case]:
    """Every case, in the order of the file. Raises SpecError that names the line and key of a bad row."""
    (document,) = read_documents(file)
    rows = []
    for node in document.items():
        row = node.mapping("case", "here", *CONTROLLERS, required=("case", "here"))
        others = {name: _statement(row[name]) for name in CONTROLLERS if name in row}
        rows.append(Case(row["case"].text(), row["here"].text(), others))
    return rows


def _statement(node: Node) -> Statement:
    row = node.mapping("text", "sources", required=("text", "sources"))
    sources = row["sources"].items()
    for source in sources:
        if not source.text().startswith("https://"):
            raise source.refuse(f"{source.text()!r} is not an https address")
    return Statement(row["text"].text(), tuple(source.text() for source in sources))
