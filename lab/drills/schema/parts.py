"""The base class and the scalar types of records: ranges and formats that msgspec validates."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Instant = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Number = int | float  # as in the document: a count stays an integer
Ratio = Annotated[float, Meta(ge=0, le=1)]
Natural = Annotated[int, Meta(ge=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Samples = list[Number | None]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A JSON object with exactly these keys."""
