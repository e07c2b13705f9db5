"""Hand-drawn SVG, put into the page itself so that it follows the page's colours."""

from __future__ import annotations

from pathlib import Path

from lab.errors import LabError
from lab.site.render.html import Markup
from lab.site.sources.context import Book

_CONSOLE = Path(__file__).parent.parent / "console.html"


def diagram(book: Book, name: str, caption: str = "") -> Markup:
    """`docs/assets/<name>.svg` inline; wide ones scroll inside their own frame."""
    return Markup(
        '<figure class="lab-diagram"><div class="lab-scroll" role="region" tabindex="0" aria-label="{}">{}</div>'
        "<figcaption>{}</figcaption></figure>"
    ).format(caption or name, inline(book, name), caption)


def inline(book: Book, name: str) -> Markup:
    """The drawing's own text."""
    path = book.docs / "assets" / f"{name}.svg"
    if not path.exists():
        raise LabError(f"docs/assets/{name}.svg does not exist")
    return Markup(path.read_text().strip())


def console(book: Book) -> Markup:
    """The console, empty: its script fills it, from the lab when one answers, else from a record."""
    skeleton = Markup(_CONSOLE.read_text(encoding="utf-8").strip())
    return skeleton.format(root=book.href("index.md"), map=inline(book, "map"))


VIEWS = (diagram, console)
