-- The social graph that the services serve. Applied with seed.sql in one transaction.
CREATE TABLE users (
    id           integer PRIMARY KEY,
    handle       text NOT NULL,
    display_name text NOT NULL,
    bio          text NOT NULL DEFAULT '',
    updated_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE posts (
    id         integer PRIMARY KEY,
    author_id  integer NOT NULL,
    body       text NOT NULL,
    like_count integer NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE follows (
    follower_id integer NOT NULL,
    followee_id integer NOT NULL
);
