"""Schemas of what drills write: the JSON schemas of records and journals, and the parameters of faults."""

from __future__ import annotations

from pathlib import Path

JOURNAL_SCHEMA = Path(__file__).with_name("journal.schema.json")
