"""HTML elements as `Markup`. Every argument is escaped unless it is `Markup` already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from markupsafe import Markup, escape
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES

from lab import promql_tokens

__all__ = ["Markup", "badge", "breakable", "code", "code_block", "details", "escape", "link", "table", "whole", "wide"]


LONG_HEAD = 24  # characters; a longer head keeps a minimum width on a phone, else it wraps after every word


def table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    label: str,
    row_heads: bool = True,
    numeric: bool = False,
    ids: Sequence[str] = (),
) -> Markup:
    """A table that scrolls inside its own frame where it is too wide.

    `label` is its accessible name, `ids` are the ids of the rows in order. With `row_heads` the first cell of a row is
    its header; `numeric` aligns the other cells as numbers.
    """
    columns = Markup().join(
        Markup('<th scope="col"{}>{}</th>').format(
            Markup(' class="lab-long"') if len(str(cell)) > LONG_HEAD else Markup(), cell
        )
        for cell in head
    )
    body = Markup().join(_row(row, row_heads, ident) for row, ident in zip_longest(rows, ids, fillvalue=""))
    kind = "lab-table lab-table--numeric" if numeric else "lab-table"
    return Markup(
        '<div class="lab-scroll" role="region" tabindex="0" aria-label="{}"><table class="{}">'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(label, kind, columns, body)


def _row(cells: Sequence[object], row_heads: bool, ident: str = "") -> Markup:
    first, *rest = cells
    tag = Markup('<th scope="row">{}</th>') if row_heads else Markup("<td>{}</td>")
    return Markup("<tr{}>{}{}</tr>").format(
        Markup(' id="{}"').format(ident) if ident else "",
        tag.format(whole(first)),
        Markup().join(Markup("<td>{}</td>").format(whole(cell)) for cell in rest),
    )


def whole(cell: object) -> object:
    """The cell, kept on one line if it is a single word such as INC-001."""
    if isinstance(cell, Markup) or not isinstance(cell, str) or " " in cell or len(cell) > 40:
        return cell
    return Markup('<span class="lab-word">{}</span>').format(cell)


def wide(cell: object) -> Markup:
    """A cell of prose, which keeps a minimum width on a phone: the table scrolls instead."""
    return Markup('<div class="lab-wide">{}</div>').format(cell)


def code(text: object, *, wrap: bool = False) -> Markup:
    """Inline code; with `wrap` it may break between words and after each `/` and `_`, as in a table's cell it must."""
    if wrap:
        return Markup('<code class="lab-wrap">{}</code>').format(breakable(str(text)))
    return Markup("<code>{}</code>").format(text)


def breakable(text: str) -> Markup:
    """Text in which a file's path may break after each `/` and `_`."""
    return Markup("<wbr>").join(re.split(r"(?<=[/_])(?=\w)", text))


def link(href: str, text: object) -> Markup:
    """A link; `href` is used as given."""
    return Markup('<a href="{}">{}</a>').format(href, whole(text))


def badge(kind: str, text: object) -> Markup:
    """A word in a coloured frame. `kind` is ok, warn or bad; the colour repeats what the word says."""
    return Markup('<span class="lab-badge lab-badge--{}">{}</span>').format(kind, text)


def code_block(text: str, language: str, *, title: str = "") -> Markup:
    """A block highlighted with the theme's classes. Without its tags it is exactly `text`."""
    if language == "promql":
        inner = Markup().join(
            Markup('<span class="{}">{}</span>').format(*token) for token in promql_tokens.tokens(text)
        )
    else:
        inner = Markup().join(
            Markup('<span class="{}">{}</span>').format(kind, piece) if kind else escape(piece)
            for kind, piece in _pieces(text, language)
        )
    heading = Markup('<span class="filename">{}</span>').format(title) if title else Markup()
    return Markup('<div class="highlight">{}<pre tabindex="0"><code>{}</code></pre></div>').format(heading, inner)


def _pieces(text: str, language: str) -> Iterator[tuple[str, str]]:
    """(class, text) in order. Neighbours of one class are merged, blanks between them too: it halves the markup."""
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    kind, held, blanks = "", "", ""
    for token, piece in lexer.get_tokens(text):
        name = next(STANDARD_TYPES[part] for part in reversed(token.split()) if part in STANDARD_TYPES)
        if not piece.strip():
            blanks += piece
        elif name == kind:
            held, blanks = held + blanks + piece, ""
        else:
            yield from ((kind, held), ("", blanks))
            kind, held, blanks = name, piece, ""
    yield from ((kind, held), ("", blanks))


def details(summary: object, body: Markup) -> Markup:
    """A collapsed part for files, samples and logs. The site's search does not index it."""
    return Markup('<details class="lab-details" data-search-exclude><summary>{}</summary>{}</details>').format(
        summary, body
    )
