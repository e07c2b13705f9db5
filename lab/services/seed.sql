-- Deterministic: random() is seeded with setseed, and nothing reads the clock.
-- Ids are spread by multiplication with a prime, so that popular users do not have adjacent ids.
SELECT setseed(0.42);

INSERT INTO users (id, handle, display_name, bio, updated_at)
SELECT
    n,
    lower(first_names[1 + n % 24]) || '_' || n,
    first_names[1 + n % 24] || ' ' || last_names[1 + (n / 24) % 24],
    'Writes about ' || topics[1 + (n / 7) % 12] || ' and ' || topics[1 + (n / 91) % 12] || '.',
    timestamptz '2025-01-01 00:00:00+00'
FROM
    (SELECT
        ARRAY['Ada','Amir','Bea','Chen','Dana','Eli','Farah','Gus','Hana','Ines','Jonas','Kofi',
              'Lena','Mei','Nils','Olu','Priya','Quinn','Rosa','Sami','Tara','Uma','Viktor','Wen'] AS first_names,
        ARRAY['Adler','Bauer','Costa','Diaz','Eriksen','Fofana','Garcia','Haddad','Ito','Jansen','Khan','Lopez',
              'Mbeki','Nowak','Okafor','Patel','Quist','Rossi','Sato','Tanaka','Urban','Vega','Weber','Zhou'] AS last_names,
        ARRAY['birds','bread','chess','cities','clocks','maps','music','rivers','ships','soil','stars','trains'] AS topics
    ) AS words,
    generate_series(1, 20000) AS n;

-- Popularity is skewed: the most followed user has thousands of followers, the median user about ten.
INSERT INTO follows (follower_id, followee_id)
SELECT DISTINCT follower_id, followee_id
FROM (
    SELECT
        1 + n % 20000 AS follower_id,
        1 + (floor(20000 * random() ^ 2)::integer * 7919) % 20000 AS followee_id
    FROM generate_series(1, 470000) AS n
) AS pairs
WHERE follower_id <> followee_id;

-- Users with more followers write more posts.
INSERT INTO posts (id, author_id, body, like_count, created_at)
SELECT
    n,
    1 + (floor(20000 * random() ^ 1.3)::integer * 7919) % 20000,
    openings[1 + n % 8] || ' ' || subjects[1 + (n / 8) % 9] || ' ' || endings[1 + (n / 72) % 7],
    floor(400 * random() ^ 4)::integer,
    timestamptz '2025-01-01 00:00:00+00' + n * interval '75 seconds'
FROM
    (SELECT
        ARRAY['Today I saw','Nobody told me about','Still thinking of','A short note on','Please look at',
              'I was wrong about','Here is how to mend','Three years with'] AS openings,
        ARRAY['a heron','the night train','an old map','rye bread','a tide clock','the town archive',
              'a quiet opening','the river path','my first telescope'] AS subjects,
        ARRAY['and it was worth it.','before breakfast.','with my neighbours.','in the rain.','once more.',
              'without a plan.','for the last time.'] AS endings
    ) AS words,
    generate_series(1, 400000) AS n;

ALTER TABLE follows ADD PRIMARY KEY (follower_id, followee_id);
ALTER TABLE follows ADD FOREIGN KEY (follower_id) REFERENCES users (id), ADD FOREIGN KEY (followee_id) REFERENCES users (id);
ALTER TABLE posts ADD FOREIGN KEY (author_id) REFERENCES users (id);
CREATE UNIQUE INDEX users_handle_idx ON users (handle);
CREATE INDEX follows_followee_idx ON follows (followee_id);
CREATE INDEX posts_author_recent_idx ON posts (author_id, created_at DESC);
