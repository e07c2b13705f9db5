"""Parses PromQL into a small syntax tree of selectors, calls and operators.

It accepts everything that Prometheus accepts and more; promtool decides what is valid. Source of the grammar: the
Prometheus documentation, "Querying basics" and "Operators".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

AGGREGATIONS = {"sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", "count_values", "bottomk", "topk"}
AGGREGATIONS |= {"quantile", "limitk", "limit_ratio"}
_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
    |(?P<range>\[\s*[^\]:]*(?::[^\]]*)?\])
    |(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    |(?P<duration>(?:\d+(?:ms|[smhdwy]))+(?![\w.]))
    |(?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?!\w)|(?i:inf|nan)(?![\w:({]))
    |(?P<name>[A-Za-z_:][\w:]*)
    |(?P<operator>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){},@])""",
    re.VERBOSE | re.ASCII,
)
# Precedence of each operator; only `^` is right-associative.
_PRECEDENCE = {"or": 1, "and": 2, "unless": 2, "==": 3, "!=": 3, "<=": 3, ">=": 3, "<": 3, ">": 3}
_PRECEDENCE |= {"+": 4, "-": 4, "*": 5, "/": 5, "%": 5, "atan2": 5, "^": 6}
_SIGNS = 5
_COMPARISONS = {"==", "!=", "<=", ">=", "<", ">"}


@dataclass(frozen=True)
class Number:
    """A number literal."""

    value: float


@dataclass(frozen=True)
class Text:
    """A string literal, without its quotes."""

    value: str


@dataclass(frozen=True)
class Matcher:
    """A label matcher of a selector; `op` is =, !=, =~ or !~."""

    label: str
    op: str
    value: str


@dataclass(frozen=True)
class Selector:
    """A selector of series by metric name and labels."""

    metric: str
    matchers: tuple[Matcher, ...] = ()


@dataclass(frozen=True)
class Range:
    """A range of an expression; `step` is None for a range selector, and a string, perhaps "", for a subquery."""

    of: Expr
    duration: str
    step: str | None = None


@dataclass(frozen=True)
class Call:
    """A function or an aggregation with its arguments."""

    name: str
    arguments: tuple[Expr, ...] = ()


@dataclass(frozen=True)
class Binary:
    """A binary operation; `is_bool` marks a comparison with `bool`, which returns 0 or 1."""

    op: str
    left: Expr
    right: Expr
    is_bool: bool = False

    @property
    def is_comparison(self) -> bool:
        """Whether the operator is a comparison."""
        return self.op in _COMPARISONS


Expr = Number | Text | Selector | Range | Call | Binary


def parse(query: str) -> Expr:
    """The syntax tree of a query without template variables. Raises ValueError, with line and column."""
    parser = _Parser(list(_tokens(query)))
    try:
        expr = parser.expression(0)
        if parser.peek() != _END:
            raise ValueError(f"unexpected {parser.peek()[1]!r}")
    except ValueError as error:
        at = parser.tokens[parser.at][2] if parser.at < len(parser.tokens) else len(query)
        raise ValueError(f"{_place(query, at)}: {error}") from error
    return expr


def modifiers(query: str) -> set[str]:
    """The keywords in a query that its tree does not hold: by, without, offset and @."""
    words = {text.lower() for kind, text, _ in _tokens(query) if kind in ("name", "operator")}
    return words & {"by", "without", "offset", "@"}


def _place(query: str, at: int) -> str:
    before = query[:at]
    return f"{before.count(chr(10)) + 1}:{at - before.rfind(chr(10))}"


def selectors(expr: Expr) -> Iterator[Selector]:
    """Every selector in an expression, in source order."""
    if isinstance(expr, Selector):
        yield expr
    elif isinstance(expr, Range):
        yield from selectors(expr.of)
    elif isinstance(expr, Call):
        for argument in expr.arguments:
            yield from selectors(argument)
    elif isinstance(expr, Binary):
        yield from selectors(expr.left)
        yield from selectors(expr.right)


Token = tuple[str, str]
_END: Token = ("end", "")


def _tokens(query: str) -> Iterator[tuple[str, str, int]]:
    """(kind, text, offset) of each token."""
    at = 0
    while at < len(query):
        match = _TOKEN.match(query, at)
        if match is None or match.lastgroup is None:
            raise ValueError(f"{_place(query, at)}: unexpected {query[at]!r}")
        if match.lastgroup != "skip":
            yield match.lastgroup, match.group(), at
        at = match.end()


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _unquote(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]

    def unescape(match: re.Match[str]) -> str:
        escape = match.group(1)
        return chr(int(escape[1:], 16)) if len(escape) > 1 else _ESCAPES.get(escape, escape)

    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", unescape, text[1:-1], flags=re.DOTALL)


@dataclass
class _Parser:
    tokens: list[tuple[str, str, int]]
    at: int = field(default=0)

    def peek(self) -> Token:
        return self.tokens[self.at][:2] if self.at < len(self.tokens) else _END

    def take(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    def takes(self, *texts: str) -> bool:
        """Consumes the next token if it is one of these words or operators."""
        kind, text = self.peek()
        if kind in {"name", "operator"} and text.lower() in texts:
            self.at += 1
            return True
        return False

    def need(self, text: str) -> None:
        if not self.takes(text):
            raise ValueError(f"{text!r} expected before {self.peek()[1]!r}")

    def expression(self, min_precedence: int) -> Expr:
        left = self.signed()
        while True:
            op = self.peek()[1].lower() if self.peek()[0] in {"name", "operator"} else ""
            precedence = _PRECEDENCE.get(op, 0)
            if not precedence or precedence < min_precedence:
                return left
            self.at += 1
            is_bool = self.takes("bool")
            self.matching()
            left = Binary(op, left, self.expression(precedence if op == "^" else precedence + 1), is_bool)

    def matching(self) -> None:
        """Skips on (…), ignoring (…) and group_left (…): vector matching changes no unit and no selector."""
        if self.takes("on", "ignoring"):
            self.labels()
        if self.takes("group_left", "group_right") and self.peek() == ("operator", "("):
            # group_left without labels: the parentheses that follow are the operand.
            start = self.at
            try:
                self.labels()
            except ValueError:
                self.at = start

    def labels(self) -> None:
        self.need("(")
        while not self.takes(")"):
            if self.take()[0] not in {"name", "string"}:
                raise ValueError("label name expected")
            self.takes(",")

    def signed(self) -> Expr:
        if self.takes("+"):
            return self.signed()
        if self.takes("-"):
            return Binary("*", Number(-1), self.expression(_SIGNS + 1))
        return self.postfix(self.primary())

    def primary(self) -> Expr:
        kind, text = self.take()
        if kind == "number":
            return Number(float(int(text, 16)) if text[:2].lower() == "0x" else float(text))
        if kind == "string":
            return Text(_unquote(text))
        if (kind, text) == ("operator", "("):
            expr = self.expression(0)
            self.need(")")
            return expr
        if (kind, text) == ("operator", "{"):
            self.at -= 1
            return self.selector("")
        if kind != "name":
            raise ValueError(f"unexpected {text or 'end'!r}")
        return self.named(text)

    def named(self, name: str) -> Expr:
        if name.lower() in AGGREGATIONS:
            if self.takes("by", "without"):
                self.labels()
            if self.peek() == ("operator", "("):
                arguments = self.arguments()
                if self.takes("by", "without"):
                    self.labels()
                return Call(name.lower(), arguments)
        if self.peek() == ("operator", "("):
            return Call(name, self.arguments())
        return self.selector(name)

    def arguments(self) -> tuple[Expr, ...]:
        self.need("(")
        arguments = []
        while not self.takes(")"):
            arguments.append(self.expression(0))
            self.takes(",")
        return tuple(arguments)

    def selector(self, metric: str) -> Selector:
        matchers = []
        if self.takes("{"):
            while not self.takes("}"):
                kind, label = self.take()
                label = _unquote(label) if kind == "string" else label
                if kind == "string" and self.peek()[1] in {",", "}"}:
                    metric = label
                else:
                    op, (string, value) = self.take()[1], self.take()
                    if op not in {"=", "!=", "=~", "!~"} or string != "string":
                        raise ValueError(f"{label!r} is not a matcher")
                    matchers.append(Matcher(label, op, _unquote(value)))
                self.takes(",")
        return Selector(metric, tuple(matchers))

    def postfix(self, expr: Expr) -> Expr:
        while True:
            kind, text = self.peek()
            if kind == "range":
                self.at += 1
                duration, colon, step = text[1:-1].partition(":")
                expr = Range(expr, duration.strip(), step.strip() if colon else None)
            elif self.takes("offset"):
                self.takes("-")
                self.take()
            elif self.takes("@"):
                self.takes("-")
                if self.take()[0] == "name":
                    self.arguments()
            else:
                return expr
