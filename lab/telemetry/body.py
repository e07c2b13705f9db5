"""Reads the JSON body of a request, for every server. An invalid body is answered 400, 413 or 415, never 500."""

from __future__ import annotations

from typing import Any

from flask import current_app, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from lab.errors import UsageError
from lab.telemetry import json_text

JsonObject = dict[str, Any]  # the decoded body of a request, before its keys have been checked

_EXAMPLE = 'send a JSON object such as {"enabled": true} with Content-Type: application/json'


def json_body(*, keep_surrogates: bool = False) -> JsonObject:
    """The request body's JSON object. See `json_text.parse` for what is rejected, and for `keep_surrogates`.

    Raises BadRequest (400), RequestEntityTooLarge (413), UnsupportedMediaType (415), and UsageError (400) when the
    body is JSON but not an object.
    """
    kind = request.mimetype
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMediaType(f"the body's content type is {kind[:60] or 'missing'}; {_EXAMPLE}")
    charset = request.mimetype_params.get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(f"the body's charset is {charset!r:.60}; JSON is UTF-8")
    try:
        value = json_text.parse(request.get_data(), keep_surrogates=keep_surrogates)
    except RequestEntityTooLarge:
        limit = current_app.config["MAX_CONTENT_LENGTH"]
        raise RequestEntityTooLarge(f"the body is longer than {limit} bytes") from None
    except json_text.JsonError as problem:
        raise BadRequest(f"the body {problem}; {_EXAMPLE}") from None
    if not isinstance(value, dict):
        raise UsageError(f"the body is not a JSON object; {_EXAMPLE}")
    return value


def only_keys(body: JsonObject, *known: str) -> None:
    """Raise UsageError when `body` is empty or has a key that is not in `known`."""
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise UsageError(f"unknown key {unknown[0]!r:.80}; known: {', '.join(known)}")
    if not body:
        raise UsageError(f"nothing to set; known: {', '.join(known)}")


def number_in(body: JsonObject, key: str, low: float, high: float) -> float:
    """body[key] as a number from `low` to `high`. Raises UsageError, naming the key, otherwise."""
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UsageError(f"{key}: {value!r:.80} is not a number from {low:g} to {high:g}")
    return value
