"""The generated parts of ARCHITECTURE.md: the list of packages and the picture of their imports.

`python -m scripts.package_picture` writes them again, `--check` fails with a diff when they differ. Both come from the
source: docstrings, import statements, and the order of layers in tests/test_imports.py. cog puts them between its
markers in ARCHITECTURE.md.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import cogapp

from lab.paths import ROOT

LAB = ROOT / "lab"
PAGE = ROOT / "ARCHITECTURE.md"
GROUND = "ground"


def order() -> tuple[str, ...]:
    """The packages and modules of `lab` from the lowest layer up, as tests/test_imports.py enforces them."""
    tree = ast.parse((ROOT / "tests" / "test_imports.py").read_text(encoding="utf-8"))
    (value,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["ORDER"]
    )
    areas: tuple[str, ...] = ast.literal_eval(value)
    return areas


def summary(module: Path) -> str:
    """The first paragraph of a module's docstring, on one line."""
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def imports() -> dict[str, set[str]]:
    """For each package of `lab` the other packages it imports; single modules count as GROUND."""
    graph: dict[str, set[str]] = {GROUND: set(), **{area: set() for area in order() if (LAB / area).is_dir()}}
    for package in graph.keys() - {GROUND}:
        for file in (LAB / package).rglob("*.py"):
            areas = {name if name in graph else GROUND for name in _imported(file)}
            graph[package] |= areas - {package}
    return graph


@cache
def _imported(file: Path) -> frozenset[str]:
    """The second part of each dotted name below `lab` that `file` imports."""
    return frozenset(_areas(ast.parse(file.read_text(encoding="utf-8"))))


def _areas(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "lab":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lab."):
            yield str(node.module).split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("lab."))


def reduced(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The arrows that are not implied by a longer path (the transitive reduction of a graph without cycles)."""

    def reachable(node: str) -> set[str]:
        return {end for near in graph[node] for end in {near, *reachable(near)}}

    return {node: ends - {end for near in ends for end in reachable(near)} for node, ends in graph.items()}


def picture() -> str:
    """A Mermaid flowchart, a line for each arrow, from the highest layer down."""
    rank = {area: number for number, area in enumerate((GROUND, *order()))}
    arrows = [
        f"  {start} --> {end}"
        for start, ends in sorted(reduced(imports()).items(), key=lambda item: -rank[item[0]])
        for end in sorted(ends, key=lambda end: -rank[end])
    ]
    modules = ", ".join(area for area in order() if not (LAB / area).is_dir())
    return "\n".join(["```mermaid", "flowchart TD", f'  {GROUND}["{modules}"]', *arrows, "```"])


def packages() -> str:
    """A Markdown list of everything in `lab`, from the highest layer down, each with the summary of its docstring."""
    lines = []
    for area in reversed(order()):
        folder = LAB / area
        if not folder.is_dir():
            lines.append(f"- `{area}.py`: {summary(folder.with_suffix('.py'))}")
            continue
        lines.append(f"- **`{area}/`**: {summary(folder / '__init__.py')}")
        inner_packages = (file for file in sorted(folder.rglob("__init__.py")) if file.parent != folder)
        lines += [f"    - `{file.parent.relative_to(folder)}/`: {summary(file)}" for file in inner_packages]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if ARCHITECTURE.md is written or up to date; otherwise cog's exit status, after its diff."""
    parser = argparse.ArgumentParser(prog="scripts.package_picture", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; show what differs and fail")
    action = ["--check", "--diff"] if parser.parse_args(arguments).check else ["-r"]
    return int(cogapp.Cog().main(["cog", "-I", str(ROOT), *action, str(PAGE)]))


if __name__ == "__main__":
    sys.exit(main())
