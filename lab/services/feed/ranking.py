"""Which posts a viewer should see: the dear part, some tens of milliseconds of the DB's time."""

from __future__ import annotations

from pathlib import Path

from lab.services.db import Session

PAGE_ITEMS = 16
# How many authors compete and with how many recent posts each: this is what an uncached feed costs.
CANDIDATE_AUTHORS = 300
POSTS_EACH = 10

_RANKING = (Path(__file__).parent / "ranking.sql").read_bytes()


def rank(session: Session, viewer_id: int) -> list[int]:
    """Ids of the best posts for the viewer, at most PAGE_ITEMS, best first. One round trip."""
    values = {"viewer": viewer_id, "candidates": CANDIDATE_AUTHORS, "posts_each": POSTS_EACH, "page": PAGE_ITEMS}
    return [row[0] for row in session.rows("feed.rank", _RANKING, values)]
