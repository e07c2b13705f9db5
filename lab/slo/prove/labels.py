"""Values of labels that satisfy matchers, so that a proof's series are those that a query selects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from itertools import islice, product
from typing import Any

from lab.slo.query.tree import Matcher

_USUAL = ("200", "500")  # tried first; any value will do where nothing is asked
_MOST = 50  # examples of one regular expression
_CLASSES = {"CATEGORY_DIGIT": "0", "CATEGORY_WORD": "a", "CATEGORY_SPACE": " "}
_POSIX = {"digit": "0-9", "alpha": "A-Za-z", "alnum": "0-9A-Za-z", "lower": "a-z", "upper": "A-Z", "word": r"\w"}
_POSIX |= {"space": r"\s", "xdigit": "0-9A-Fa-f"}
_FLAGS = re.DOTALL | re.ASCII
_OTHERS = "0a-_A/ "  # tried where a class says what a character is not


def choose(wanted: Sequence[Matcher], unwanted: Sequence[Matcher] = (), also: Iterable[Matcher] = ()) -> str | None:
    """A value that satisfies all of `wanted` and not all of `unwanted`; None when none was found.

    `also` are other matchers of the label, whose values are worth trying.
    """
    values = [*_USUAL, *(value for one in (*wanted, *unwanted, *also) for value in _suggested(one)), "other", ""]
    for value in values:
        if all(satisfies(one, value) for one in wanted) and not (
            unwanted and all(satisfies(one, value) for one in unwanted)
        ):
            return value
    return None


def satisfies(matcher: Matcher, value: str) -> bool:
    """Whether a label's value matches, as Prometheus judges: anchored, and a dot matches a new line too."""
    if matcher.op in {"=", "!="}:
        return (value == matcher.value) is (matcher.op == "=")
    found = re.fullmatch(_python(matcher.value), value, _FLAGS) is not None
    return found is (matcher.op == "=~")


def _suggested(matcher: Matcher) -> Iterator[str]:
    if matcher.op in {"=", "!="}:
        yield matcher.value
    else:
        yield from islice(_texts(list(import_module("re._parser").parse(_python(matcher.value), _FLAGS))), _MOST)


def _python(pattern: str) -> str:
    """The pattern with its POSIX classes written as Python knows them. Raises re.error for one that is not known."""

    def members(match: re.Match[str]) -> str:
        if match[1] not in _POSIX:
            raise re.error(f"the class {match[0]}")
        return _POSIX[match[1]]

    return re.sub(r"\[:(\^?\w+):\]", members, pattern)


def _texts(parts: list[tuple[Any, Any]]) -> Iterator[str]:
    """Texts that a parsed regular expression matches, some for each choice it leaves."""
    yield from ("".join(pieces) for pieces in product(*(_pieces(str(op), argument) for op, argument in parts)))


def _pieces(op: str, argument: Any) -> list[str]:
    if op == "LITERAL":
        return [chr(argument)]
    if op == "ANY":
        return ["0"]
    if op == "NOT_LITERAL":
        return [character for character in _OTHERS if ord(character) != argument][:1]
    if op == "IN":
        return _members(argument)
    if op == "BRANCH":
        return list(islice((text for branch in argument[1] for text in _texts(list(branch))), _MOST))
    if op in {"SUBPATTERN", "ATOMIC_GROUP"}:
        return list(islice(_texts(list(argument[-1] if op == "SUBPATTERN" else argument)), _MOST))
    if op.endswith("REPEAT"):
        least, most, inner = argument
        once = list(islice(_texts(list(inner)), _MOST))
        counts = [max(least, 1), least, least + 1]
        return [text * count for count in dict.fromkeys(min(count, int(most)) for count in counts) for text in once]
    return [""]  # an anchor; what is not understood is found out when the text does not match


def _members(parts: list[tuple[Any, Any]]) -> list[str]:
    """One character for each member of a class, or several that the class does not name."""
    if str(parts[0][0]) == "NEGATE":
        return list(_OTHERS)
    found = []
    for op, argument in parts:
        if str(op) == "LITERAL":
            found.append(chr(argument))
        elif str(op) == "RANGE":
            found += [chr(end) for end in argument]
        else:
            found.append(_CLASSES.get(str(argument), "-"))
    return found
