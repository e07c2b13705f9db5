"""Hypothesis strategies for fuzzing: requests to every route with unusual paths, queries, headers and bodies."""

from __future__ import annotations

import ast
import inspect
import io
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from types import CodeType
from typing import Any
from urllib.parse import quote_from_bytes

from flask import Flask
from hypothesis import strategies as st
from services_support import TOKEN
from werkzeug.routing import Rule
from werkzeug.test import create_environ, run_wsgi_app

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW")
ADMITTED = {"Host": "127.0.0.1:8000", "Authorization": f"Bearer {TOKEN}", "X-Fleetops-Console": "1"}

IDS = [
    b"0",
    b"1",
    b"7",
    b"20001",
    b"2147483648",
    b"9223372036854775808",
    b"9" * 5000,
    b"-1",
    b"1e3",
    b"007",
    b"\xd9\xa3",
]
TEXTS: list[str] = [
    "", " ", "x", "\0", "a\0b", "\n", "\x7f", "\ud800", "\udfff\ud800", "\ufffe", "🚲", "e\u0301",
    "x" * 300, "x" * 3000, "../../etc/passwd", "%", "%s", "{}", "'", '"', "<script>", "NaN", "-1", "1e999", "true",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-31T12:00:00", "2026-01-31T12:00:00Z", "soon",
    "http://a b:1", "http://[::1", "http://127.0.0.1:9", "http://a:99999", f"http://{'a' * 70}:1", "ftp://a:1",
    "fleetops canary weight 0", "fleetops canary weight 0\0", "fleetops 'unclosed", "ada", "off", "open", "firing",
    "INC-001", "human", "timeout", "4", "ab" * 16, "up", "sum(rate(up[5m]))", "x" * 2001,
]  # fmt: skip
NUMBERS: list[Any] = [0, 1, -1, 0.5, 1.5, 5, 50, 1e308, -1e308, 5e-324, 2**31, 2**63 - 1, -(2**63), 10**18]
BROKEN: list[bytes] = [
    b"", b"[" * 8000, b'{"a":' * 8000, b"{" * 70000, b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1e999}',
    b'{"a": ' + b"9" * 5000 + b"}", b'{"a": 9223372036854775808}', b'{"a": 1, "a": 2}', b'{"a": "\\ud800"}',
    b'{"a": "\xff"}', b"\xef\xbb\xbf{}", '{"a": 1}'.encode("utf-16"), '{"a": 1}'.encode("utf-32"), b'{"a": 1',
    b'"' + b'\\"' * 5000, b"null", b"[]", b"3", b'"x"', b" " * 20_000, b'{"a": "' + b"x" * 70_000 + b'"}',
]  # fmt: skip
KINDS = [
    "application/json", "application/json; charset=utf-8", "application/json; charset=utf-16", "application/json;",
    "application/json; charset=bogus", "application/x+json", "text/plain", "", ";", "multipart/form-data",
    "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "\xff/\xff",
    "application/json; a=" + "x" * 300,
]  # fmt: skip
HEADERS: dict[str, list[str]] = {
    "Host": ["", "evil.example", "[::", "127.0.0.1:99999", "a b", "\xff", "localhost:x"],
    "Authorization": ["", "Bearer", "Bearer \xff", "Basic eA==", "x" * 300],
    "Origin": ["null", "http://evil.example", "http://127.0.0.1:8000", "http://[", "\xff"],
    "Sec-Fetch-Site": ["cross-site", "same-origin", "\xff"],
    "X-Client-Id": ["", "guest", "\xff" * 80, "a\tb", "x" * 300],
    "X-Request-Id": ["", "a b", "x" * 300],
    "traceparent": [f"00-{'0' * 32}-00f067aa0ba902b7-01", "00-zz", "\xff", f"00-{'f' * 32}-{'f' * 16}-zz"],
    "tracestate": ["a=1", "=", "a=1," * 40, "\xff=\xff", "a=" + "x" * 600],
    "baggage": ["feed.ttl_seconds=nan", "feed.ttl_seconds=1e999", "feed.profiles=inf", "=;=,;", "feed.\xff=1"],
    "Accept": [
        "application/openmetrics-text", "application/openmetrics-text; version=x", "text/plain; version=1..0",
        "application/openmetrics-text; version=1.0.0; escaping=x", "text/plain; version=9.9.9", "*/*; q=x", "\xff",
    ],
    "Range": ["bytes=0-", "bytes=-1", "bytes=9-1", "bytes=0-0,1-1", "x=1", "bytes=" + "9" * 30 + "-"],
    "If-None-Match": ["*", '"x"', "W/", "\xff"],
    "If-Modified-Since": ["soon", "Mon, 01 Jan 0000 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"],
    "If-Range": ['"x"', "soon"],
    "Cookie": ["a=b; ;=", "\xff", "fleetops-console-8000=x.y", "x" * 3000],
    "X-Fleetops-Console": ["0", ""],
    "Content-Length": ["x", "-1", "9" * 30],
    "X-Forwarded-For": ["\xff", "::1"],
}  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """A request. `path` and `query` are bytes on the wire; the path is already unquoted, as by a server."""

    method: str
    path: bytes
    query: bytes
    headers: dict[str, str]
    body: bytes

    def environ(self) -> dict[str, Any]:
        """The WSGI environment that the server would pass."""
        environ = create_environ("/", "http://127.0.0.1:8000/")
        environ.update(
            REQUEST_METHOD=self.method,
            PATH_INFO=self.path.decode("latin-1"),
            QUERY_STRING=self.query.decode("latin-1"),
            CONTENT_LENGTH=str(len(self.body)),
            REMOTE_ADDR="127.0.0.1",
        )
        del environ["REQUEST_URI"], environ["RAW_URI"]
        environ["wsgi.input"] = io.BytesIO(self.body)
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        return environ

    def to(self, app: Flask) -> tuple[int, str, bytes]:
        """Status, content type and the beginning of the body of the response of `app`."""
        chunks, status, headers = run_wsgi_app(app, self.environ())
        try:
            return int(status.split()[0]), headers.get("Content-Type", ""), b"".join(islice(chunks, 2))
        finally:
            if hasattr(chunks, "close"):
                chunks.close()


def requests(app: Flask) -> st.SearchStrategy[Sent]:
    """Any request to any route of `app`."""
    words = vocabulary(app)
    return st.one_of([_request(app, rule, words) for rule in app.url_map.iter_rules()])


def vocabulary(app: Flask) -> list[str]:
    """Words in the modules of the app's routes, and the keys in its responses, so that new ones are included."""
    found_words: set[str] = set()
    for module in {view.__module__ for view in app.view_functions.values()}:
        if module.startswith("lab."):
            tree = ast.parse(inspect.getsource(sys.modules[module]))
            found_words |= _words(node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and not rule.arguments:
            found_words |= _keys(_get_json(app, rule.rule))
    return sorted(found_words)


def _get_json(app: Flask, path: str) -> Any:
    _, kind, body = Sent("GET", path.encode(), b"", ADMITTED, b"").to(app)
    return json.loads(body) if kind == "application/json" else None


def _words(values: Iterable[object]) -> set[str]:
    return {value for value in values if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w-]{0,40}", value)}


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for member in value.values() for key in _keys(member)}
    return {key for element in value for key in _keys(element)} if isinstance(value, list) else set()


def _own_words(app: Flask, rule: Rule) -> list[str]:
    """Words in the route's own function, and the keys of the part of the app's state with the route's name."""
    view = inspect.unwrap(app.view_functions[rule.endpoint])
    words = _words(_constants(view.__code__)) if inspect.isfunction(view) else set()
    state = _get_json(app, "/admin/state")
    part = state.get(rule.rule.rpartition("/")[2]) if isinstance(state, dict) else None
    return sorted(words | (set(part) if isinstance(part, dict) else set()))


def _constants(code: CodeType) -> set[Any]:
    inner = [_constants(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return {constant for constant in code.co_consts if isinstance(constant, str)}.union(*inner)


def _request(app: Flask, rule: Rule, words: list[str]) -> st.SearchStrategy[Sent]:
    own = _own_words(app, rule) or words
    texts = st.sampled_from(TEXTS) | st.sampled_from(words) | st.text(max_size=40)
    keys = st.sampled_from(own) | st.sampled_from(words) | texts
    broken = st.sampled_from(BROKEN)
    bodies = [_json(st.sampled_from(own), texts), _json(keys, texts), broken, broken, st.binary(max_size=60)]
    return st.builds(
        Sent,
        st.sampled_from([*methods_of(rule) * len(METHODS), *METHODS]),
        _paths(rule, texts),
        _queries(own, words),
        _headers(),
        st.one_of(bodies) if takes_body(rule) else st.just(b"") | broken,
    )


def methods_of(rule: Rule) -> list[str]:
    """The methods that a route handles."""
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})


def takes_body(rule: Rule) -> bool:
    """Whether a route reads a body."""
    return not {"POST", "PUT", "PATCH"}.isdisjoint(methods_of(rule))


def filled(rule: Rule, value: bytes = b"1") -> bytes:
    """The route's path with `value` for every variable part."""
    return re.sub(rb"<[^>]+>", lambda _: value, rule.rule.encode())


def _paths(rule: Rule, texts: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    pieces: list[st.SearchStrategy[bytes]] = []
    for fixed, converter in re.findall(r"([^<]+)|<([^>]+)>", rule.rule):
        raw = st.sampled_from(IDS) if converter.startswith("id:") else texts.map(_bytes) | st.binary(max_size=20)
        pieces.append(st.just(fixed.encode()) if fixed else st.sampled_from([b"1", b"7"]) | raw)
    good = st.tuples(*pieces).map(b"".join)
    other = st.binary(max_size=40).map(lambda end: b"/" + end)
    return st.one_of(*[good] * 6, other, good.map(lambda path: path + b"/"))


def _queries(own: list[str], words: list[str]) -> st.SearchStrategy[bytes]:
    key = st.sampled_from(own) | st.sampled_from(words)
    pair = st.tuples(key, st.sampled_from(TEXTS) | st.text(max_size=20)).map(
        lambda parameter: f"{parameter[0]}=".encode() + quote_from_bytes(_bytes(parameter[1])).encode()
    )
    pairs = st.lists(pair, max_size=3).map(b"&".join)
    return st.one_of(st.just(b""), st.just(b""), pair, pairs, st.binary(max_size=30))


def _headers() -> st.SearchStrategy[dict[str, str]]:
    """Headers of an admitted JSON request; in half of the requests some are replaced by unusual ones."""
    odd = st.one_of([st.tuples(st.just(name), st.sampled_from(values)) for name, values in HEADERS.items()])
    some = st.lists(odd, min_size=1, max_size=3).map(dict)
    kind = st.sampled_from([*["application/json"] * len(KINDS), *KINDS])
    return st.tuples(st.just({}) | some, kind).map(lambda drawn: {**ADMITTED, "Content-Type": drawn[1], **drawn[0]})


def _json(keys: st.SearchStrategy[str], texts: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    leaf = st.none() | st.booleans() | st.sampled_from(NUMBERS) | texts
    nested = st.lists(leaf, max_size=3) | st.dictionaries(keys, leaf, max_size=3)
    value = leaf | nested | st.lists(nested, max_size=2) | st.dictionaries(keys, nested, max_size=2)
    return st.dictionaries(keys, leaf | value, max_size=4).map(lambda body: json.dumps(body).encode())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
