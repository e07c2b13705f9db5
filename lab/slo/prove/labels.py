"""Finds label values that satisfy matchers, so that a proof's series are those that a query selects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from itertools import islice, product
from typing import Any

from lab.slo.query.tree import Matcher

_COMMON_VALUES = ("200", "500")  # tried first; any value will do without matchers
_MAX_EXAMPLES = 50  # of one regular expression
_CLASSES = {"CATEGORY_DIGIT": "0", "CATEGORY_WORD": "a", "CATEGORY_SPACE": " "}
_POSIX = {"digit": "0-9", "alpha": "A-Za-z", "alnum": "0-9A-Za-z", "lower": "a-z", "upper": "A-Z", "word": r"\w"}
_POSIX |= {"space": r"\s", "xdigit": "0-9A-Fa-f"}
_FLAGS = re.DOTALL | re.ASCII
_FOR_NEGATED_CLASS = "0a-_A/ "  # characters tried where a class excludes some


def choose(wanted: Sequence[Matcher], unwanted: Sequence[Matcher] = (), also: Iterable[Matcher] = ()) -> str | None:
    """A value that satisfies all of `wanted` and not all of `unwanted`; None when none was found.

    `also` are other matchers of the same label, whose values are tried too. Raises re.error for an unknown POSIX class.
    """
    suggested = (value for matcher in (*wanted, *unwanted, *also) for value in _suggested(matcher))
    for value in [*_COMMON_VALUES, *suggested, "other", ""]:
        if all(satisfies(matcher, value) for matcher in wanted) and not (
            unwanted and all(satisfies(matcher, value) for matcher in unwanted)
        ):
            return value
    return None


def satisfies(matcher: Matcher, value: str) -> bool:
    """Whether a label value matches as in Prometheus: anchored, and a dot also matches a newline."""
    if matcher.op in {"=", "!="}:
        return (value == matcher.value) is (matcher.op == "=")
    matches = re.fullmatch(_python(matcher.value), value, _FLAGS) is not None
    return matches is (matcher.op == "=~")


def _suggested(matcher: Matcher) -> Iterator[str]:
    if matcher.op in {"=", "!="}:
        yield matcher.value
    else:
        yield from islice(
            _examples(list(import_module("re._parser").parse(_python(matcher.value), _FLAGS))), _MAX_EXAMPLES
        )


def _python(pattern: str) -> str:
    """The pattern with its POSIX classes translated for Python. Raises re.error for an unknown one."""

    def members(match: re.Match[str]) -> str:
        if match[1] not in _POSIX:
            raise re.error(f"the class {match[0]}")
        return _POSIX[match[1]]

    return re.sub(r"\[:(\^?\w+):\]", members, pattern)


def _examples(parts: list[tuple[Any, Any]]) -> Iterator[str]:
    """Strings that a parsed regular expression matches, with examples of each alternative."""
    yield from ("".join(pieces) for pieces in product(*(_pieces(str(op), argument) for op, argument in parts)))


def _pieces(op: str, argument: Any) -> list[str]:
    if op == "LITERAL":
        return [chr(argument)]
    if op == "ANY":
        return ["0"]
    if op == "NOT_LITERAL":
        return [character for character in _FOR_NEGATED_CLASS if ord(character) != argument][:1]
    if op == "IN":
        return _members(argument)
    if op == "BRANCH":
        return list(islice((text for branch in argument[1] for text in _examples(list(branch))), _MAX_EXAMPLES))
    if op in {"SUBPATTERN", "ATOMIC_GROUP"}:
        return list(islice(_examples(list(argument[-1] if op == "SUBPATTERN" else argument)), _MAX_EXAMPLES))
    if op.endswith("REPEAT"):
        minimum, maximum, inner = argument
        once = list(islice(_examples(list(inner)), _MAX_EXAMPLES))
        counts = [max(minimum, 1), minimum, minimum + 1]
        return [text * count for count in dict.fromkeys(min(count, int(maximum)) for count in counts) for text in once]
    return [""]  # an anchor, or an unsupported operator, for which the example will not match


def _members(parts: list[tuple[Any, Any]]) -> list[str]:
    """A character for each member of a class; for a negated class, several candidates."""
    if str(parts[0][0]) == "NEGATE":
        return list(_FOR_NEGATED_CLASS)
    characters = []
    for op, argument in parts:
        if str(op) == "LITERAL":
            characters.append(chr(argument))
        elif str(op) == "RANGE":
            characters += [chr(end) for end in argument]
        else:
            characters.append(_CLASSES.get(str(argument), "-"))
    return characters
