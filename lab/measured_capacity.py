"""The measured capacity of the lab, read from the committed figures, for the exporter and the pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lab.errors import LabError
from lab.paths import DOCS

FILE = DOCS / "figures" / "capacity.json"

Rate = Annotated[float, Meta(gt=0)]


class Interval(msgspec.Struct, frozen=True):
    """Requests per second: the estimate, and the ends of its interval; `high` is None where no step failed."""

    value: Rate
    low: Rate
    high: Rate | None

    def __post_init__(self) -> None:
        if not self.low <= self.value <= (self.value if self.high is None else self.high):
            raise ValueError(f"{self.value:g} is not between low {self.low:g} and high {self.high}")


class Configuration(msgspec.Struct, frozen=True):
    """A measured configuration of the lab. Keys of the file besides these are not read here."""

    capacity: Interval


class Figures(msgspec.Struct, frozen=True):
    """The figures by the name of the configuration."""

    schema: Literal["fleetops.capacity/v1"]
    configurations: dict[Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")], Configuration]


def read(file: Path = FILE) -> dict[str, Interval]:
    """The measured capacity of each configuration; empty without the file. Raises LabError, in one line, for damage."""
    try:
        figures = msgspec.json.decode(file.read_bytes(), type=Figures)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise LabError(f"{file} cannot be read ({error.strerror})") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LabError(f"{file} is damaged ({error}); measure the capacity again") from error
    return {name: configuration.capacity for name, configuration in figures.configurations.items()}
