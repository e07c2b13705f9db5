-- The feed of one viewer, best first: recent posts of the authors that the viewer follows, and of authors that several
-- of these follow. Affinity is the number of paths to an author. The score is logarithmic in affinity and likes and
-- linear in the time of creation, so the order does not depend on the current time.
WITH followed AS MATERIALIZED (
    SELECT followee_id AS author_id FROM follows WHERE follower_id = %(viewer)s
),
reached AS (
    SELECT author_id, 4 AS ways FROM followed
    UNION ALL
    SELECT second.followee_id, 1
    FROM followed JOIN follows AS second ON second.follower_id = followed.author_id
    WHERE second.followee_id <> %(viewer)s
),
candidates AS MATERIALIZED (
    SELECT author_id, sum(ways) AS ways
    FROM reached GROUP BY author_id
    ORDER BY sum(ways) DESC, author_id LIMIT %(candidates)s
),
ranked AS MATERIALIZED (
    SELECT
        recent.id,
        ln(1 + recent.like_count) + 2 * ln(1 + candidates.ways)
            + extract(epoch FROM recent.created_at)::float8 / 2592000 AS score
    FROM candidates
    CROSS JOIN LATERAL (
        SELECT id, like_count, created_at FROM posts
        WHERE posts.author_id = candidates.author_id
        ORDER BY created_at DESC LIMIT %(posts_each)s
    ) AS recent
    ORDER BY score DESC, recent.id LIMIT %(page)s
)
SELECT id FROM ranked ORDER BY score DESC, id
