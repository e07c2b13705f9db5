"""Version 1.1.0: builds the feed like 1.0.0, cached or not, and then reloads each item from the database.

The intention was that edits are visible immediately. The cost is an N+1 query problem: three queries per item on every
request, so 48 round trips for a feed of 16 items, to a database that is several milliseconds away.
"""

from __future__ import annotations

import json

from lab.services.db import Database, Session
from lab.services.feed.options import FeedOptions
from lab.services.feed.page_cache import PageCache
from lab.services.feed.profiles import Profiles
from lab.services.feed.stable import Author, Item, StablePages, item

_POST = "SELECT id, body, like_count, created_at, author_id FROM posts WHERE id = %s"
_AUTHOR = "SELECT id, handle, display_name FROM users WHERE id = %s"
_FOLLOWING = "SELECT EXISTS (SELECT FROM follows WHERE follower_id = %s AND followee_id = %s)"


class CanaryPages:
    """The stable version's feeds, with their items loaded from the database one by one."""

    def __init__(self, database: Database, pages: PageCache, profiles: Profiles) -> None:
        self._database = database
        self._stable = StablePages(database, pages, profiles)

    def page(self, viewer_id: int, options: FeedOptions) -> bytes | None:
        """The viewer's feed as JSON, or None for an unknown user."""
        stable = self._stable.page(viewer_id, options)
        if stable is None:
            return None
        page = json.loads(stable)
        with self._database.session() as session:
            page["items"] = [loaded for old in page["items"] if (loaded := _item(session, viewer_id, old["id"]))]
        return json.dumps(page, separators=(",", ":")).encode()


def _item(session: Session, viewer_id: int, post_id: int) -> Item | None:
    post = session.row("post.select", _POST, [post_id])
    if post is None:
        return None
    author = session.row("user.select", _AUTHOR, [post[4]])
    following = session.row("follow.exists", _FOLLOWING, [viewer_id, post[4]])
    if author is None or following is None:
        return None
    brief: Author = {"id": author[0], "handle": author[1], "display_name": author[2]}
    return item(*post[:4], author=brief, following=following[0])
