"""PromQL in the field's own colours: tokens of the package pygments-promql, for a script to set as text."""

from __future__ import annotations

from lab.errors import LabError

Token = list[str]  # [class of the theme's style sheet, text]
_NAME = "nv"


def tokens(query: str) -> list[Token]:
    """The query in pieces, in order; joined, their texts are the query to the character."""
    try:
        # Not in the containers' image: there the query is plain text.
        from pygments.lexers import get_lexer_by_name
        from pygments.token import STANDARD_TYPES
    except ImportError as error:
        raise LabError("pygments is not installed here; the query stays plain text") from error
    lexer = get_lexer_by_name("promql", stripnl=False, ensurenl=False)
    found: list[Token] = []
    for kind, text in lexer.get_tokens(query):
        name = STANDARD_TYPES.get(kind, "")
        # The lexer takes the colons of a recorded series for errors: they belong to its name.
        joins = bool(found) and found[-1][0] == _NAME and (text == ":" or (name == _NAME and found[-1][1][-1] == ":"))
        if joins:
            found[-1][1] += text
        elif text:
            found.append([name, text])
    return found
