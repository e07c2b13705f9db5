"""Metadata of PrometheusRule objects, which the Prometheus operator loads: name, namespace and labels."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lab.errors import UsageError
from lab.slo.model import Slo

MAX_NAME = 253
_OWN_LABELS = {"app.kubernetes.io/component": "slo", "app.kubernetes.io/managed-by": "fleetops"}

_PART = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_PART}(\.{_PART})*")
_NAMESPACE = re.compile(_PART)
_WORD = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Metadata:
    """The name, namespace and labels of a PrometheusRule object."""

    name: str
    namespace: str = ""  # "" for the namespace that it is applied in
    labels: dict[str, str] = field(default_factory=dict)  # matched by the operator's ruleSelector


def metadata(slos: Sequence[Slo], *, name: str = "", namespace: str = "", labels: Iterable[str] = ()) -> Metadata:
    """The metadata of the object with the rules of these SLOs; `labels` are KEY=VALUE strings. Raises UsageError."""
    if name and not (len(name) <= MAX_NAME and _SUBDOMAIN.fullmatch(name)):
        raise UsageError(f"--name {name!r} is not an object name; use at most {MAX_NAME} of a-z, 0-9, '-' and '.'")
    if namespace and not (len(namespace) <= 63 and _NAMESPACE.fullmatch(namespace)):
        raise UsageError(f"--namespace {namespace!r} is not a namespace; use at most 63 of a-z, 0-9 and '-'")
    return Metadata(name or name_of(slos), namespace, _OWN_LABELS | dict(_label(text) for text in labels))


def name_of(slos: Sequence[Slo]) -> str:
    """An object name made from service and name of the first SLO, with the characters that Kubernetes allows.

    The dot between them occurs in neither, so two SLOs never share an object, not even two whose ids are equal (service
    `shop`, name `ad-budget`; service `shop-ad`, name `budget`). Where characters or length have to be cut, a hash keeps
    the name unique.
    """
    parts = (f"slo-{slos[0].service}", slos[0].name)
    folded = ".".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts)
    if folded == ".".join(parts) and "." not in "".join(parts) and len(folded) <= MAX_NAME:
        return folded
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]
    return f"{folded[: MAX_NAME - len(digest) - 1].rstrip('-')}-{digest}"


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    prefix, _, name = key.rpartition("/")
    is_valid = (
        equals
        and len(name) <= 63
        and _WORD.fullmatch(name)
        and ("/" not in key or (len(prefix) <= MAX_NAME and _SUBDOMAIN.fullmatch(prefix)))
        and (not value or (len(value) <= 63 and _WORD.fullmatch(value)))
    )
    if not is_valid:
        raise UsageError(f"--label {text!r} is not a Kubernetes label; write KEY=VALUE, such as release=prometheus")
    return key, value
