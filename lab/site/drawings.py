"""Hand-drawn SVG, put into the page itself so that it follows the page's colours."""

from __future__ import annotations

from lab.errors import LabError
from lab.site.book import Book
from lab.site.html import Markup


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
    """The live part of the console, empty: the script fills it when the lab answers, and keeps it hidden when not."""
    return Markup(_CONSOLE).format(api=book.href("api/live").removesuffix("live"), map=inline(book, "map"))


_CONSOLE = """<div id="live-console" class="console" data-api="{api}">
<p class="console-status" role="status"><span class="lab-badge" data-part="mode">static</span> <span data-part="mode-text">This page is live when the lab serves it. What you see below is the recorded incident.</span></p>
<div data-part="live" hidden>
<section aria-labelledby="console-slis"><h2 id="console-slis">Is anyone hurt?</h2><div class="console-tiles" data-part="slos"></div></section>
<div class="console-columns">
<section aria-labelledby="console-pager"><h2 id="console-pager">Pager</h2><p class="console-by"><label>You are <input data-part="by" maxlength="60" autocomplete="username" placeholder="your name"></label></p><ul class="console-pages" data-part="pages"></ul><p class="console-error" data-part="ack-error" role="alert"></p></section>
<section aria-labelledby="console-map"><h2 id="console-map">System</h2><div class="console-map">{map}</div><p class="console-flow" data-part="flow"></p></section>
</div>
<section aria-labelledby="console-charts"><h2 id="console-charts">The last five minutes</h2><div class="console-charts" data-part="charts"></div></section>
<section aria-labelledby="console-burn"><h2 id="console-burn">Burn rates</h2><div class="lab-scroll" role="region" tabindex="0" aria-label="Burn rates"><table class="lab-table lab-table--numeric"><thead data-part="burn-head"></thead><tbody data-part="burn"></tbody></table></div></section>
<section aria-labelledby="console-audit"><h2 id="console-audit">Controls, audit trail</h2><div class="lab-scroll" role="region" tabindex="0" aria-label="Audit trail"><table class="lab-table"><thead><tr><th scope="col">UTC</th><th scope="col">By</th><th scope="col">Action</th><th scope="col">Target</th><th scope="col">Change</th><th scope="col">Outcome</th></tr></thead><tbody data-part="audit"></tbody></table></div></section>
</div>
</div>"""  # noqa: E501 - one element a line reads better than broken attributes

VIEWS = (diagram, console)
