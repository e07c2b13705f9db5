"""Version 1.0.0: the cached feed contains its items, loaded by one query when it was built."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TypedDict

from lab.services.db import Database, Session
from lab.services.feed.options import FeedOptions
from lab.services.feed.page_cache import PageCache
from lab.services.feed.profiles import Profiles, UnknownUser
from lab.services.feed.ranking import rank

# A feed without its viewer's profile is cached briefly, until the user service recovers.
DEGRADED_TTL_SECONDS = 5.0

_HYDRATE = """
SELECT posts.id, posts.body, posts.like_count, posts.created_at, users.id, users.handle, users.display_name,
       follows.follower_id IS NOT NULL
FROM unnest(%s::integer[]) WITH ORDINALITY AS wanted (id, place)
JOIN posts ON posts.id = wanted.id
JOIN users ON users.id = posts.author_id
LEFT JOIN follows ON follows.follower_id = %s AND follows.followee_id = posts.author_id
ORDER BY wanted.place
"""


class StablePages:
    """Feeds through the cache; a hit needs no round trip to the database, a miss needs two."""

    def __init__(self, database: Database, pages: PageCache, profiles: Profiles) -> None:
        self._database = database
        self._pages = pages
        self._profiles = profiles

    def page(self, viewer_id: int, options: FeedOptions) -> bytes | None:
        """The viewer's feed as JSON, or None for an unknown user."""
        key = f"feed:1.0:{viewer_id}"
        return self._pages.page(key, lambda: self._build(key, viewer_id, options), options)

    def _build(self, key: str, viewer_id: int, options: FeedOptions) -> bytes | None:
        try:
            viewer = self._profiles.brief(viewer_id) if options.profiles else None
        except UnknownUser:
            return None
        with self._database.session() as session:
            items = _hydrate(session, viewer_id, rank(session, viewer_id))
        page = json.dumps({"user_id": viewer_id, "viewer": viewer, "items": items}, separators=(",", ":")).encode()
        self._pages.put(key, page, options.ttl_seconds if viewer else DEGRADED_TTL_SECONDS)
        return page


class Author(TypedDict):
    """The author of a post, as the feed contains it."""

    id: int
    handle: str
    display_name: str


class Item(TypedDict):
    """A post in a feed, as JSON; `following` is whether the viewer follows its author."""

    id: int
    body: str
    like_count: int
    created_at: str
    author: Author
    following: bool


def _hydrate(session: Session, viewer_id: int, ids: list[int]) -> list[Item]:
    return [
        item(*row[:4], author={"id": row[4], "handle": row[5], "display_name": row[6]}, following=row[7])
        for row in session.rows("feed.hydrate", _HYDRATE, [ids, viewer_id])
    ]


def item(post_id: int, body: str, like_count: int, created_at: datetime, *, author: Author, following: bool) -> Item:
    """An item of a feed, in the form that every version returns."""
    return {
        "id": post_id,
        "body": body,
        "like_count": like_count,
        "created_at": created_at.isoformat(),
        "author": author,
        "following": following,
    }
