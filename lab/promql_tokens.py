"""Tokens of a PromQL query for syntax highlighting, from the lexer of the package pygments-promql."""

from __future__ import annotations

from lab.errors import LabError

Token = list[str]  # [class of the theme's style sheet, text]
_NAME = "nv"


def tokens(query: str) -> list[Token]:
    """The query as tokens, in order. Joined, their texts are exactly the query.

    Raises LabError when pygments is not installed.
    """
    try:
        # Not installed in the container image, where queries are shown without colours.
        from pygments.lexers import get_lexer_by_name
        from pygments.token import STANDARD_TYPES
    except ImportError as error:
        raise LabError("pygments is not installed here, so queries are shown without colours") from error
    lexer = get_lexer_by_name("promql", stripnl=False, ensurenl=False)
    highlighted: list[Token] = []
    for kind, text in lexer.get_tokens(query):
        name = STANDARD_TYPES.get(kind, "")
        # The lexer marks the colons in the name of a recorded series as errors; join them with the name.
        last_name = highlighted[-1] if highlighted and highlighted[-1][0] == _NAME else None
        if last_name and (text == ":" or (name == _NAME and last_name[1][-1] == ":")):
            last_name[1] += text
        elif text:
            highlighted.append([name, text])
    return highlighted
