"""Hand-drawn SVG diagrams and the console's skeleton, inlined so that they follow the page's colours."""

from __future__ import annotations

from pathlib import Path

from lab.errors import LabError
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext

_CONSOLE = Path(__file__).parent.parent / "console.html"


def diagram(context: SiteContext, name: str, caption: str = "") -> Markup:
    """`docs/assets/<name>.svg` inlined in a frame that scrolls where the drawing is too wide."""
    return Markup(
        '<figure class="lab-diagram"><div class="lab-scroll" role="region" tabindex="0" aria-label="{}">{}</div>'
        "<figcaption>{}</figcaption></figure>"
    ).format(caption or name, inline(context, name), caption)


def inline(context: SiteContext, name: str) -> Markup:
    """The source of `docs/assets/<name>.svg`. Raises LabError when the file does not exist."""
    path = context.docs / "assets" / f"{name}.svg"
    if not path.exists():
        raise LabError(f"docs/assets/{name}.svg does not exist")
    return Markup(path.read_text().strip())


def console(context: SiteContext) -> Markup:
    """The empty console. Its script fills it, from the lab that serves the page or else from a record."""
    skeleton = Markup(_CONSOLE.read_text(encoding="utf-8").strip())
    return skeleton.format(root=context.href("index.md"), map=inline(context, "map"))


VIEWS = (diagram, console)
