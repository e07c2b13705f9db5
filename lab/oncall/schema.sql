-- One row per page. An alert, identified by its fingerprint, has at most one open page; (fingerprint, starts_at)
-- identifies one occurrence. Labels, annotations and received_at are those of its first notification and never change.
CREATE TABLE IF NOT EXISTS pages (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL,
    starts_at   TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('firing', 'resolved')),
    labels      TEXT NOT NULL,
    annotations TEXT NOT NULL,
    received_at TEXT NOT NULL,
    resolved_at TEXT,
    acked_at    TEXT,
    acked_by    TEXT,
    escalated_at TEXT,
    escalated_to TEXT,
    UNIQUE (fingerprint, starts_at)
);

CREATE INDEX IF NOT EXISTS pages_by_status ON pages (status, id);

-- One row per control action. The client chooses the id, so that sending a row twice is harmless.
CREATE TABLE IF NOT EXISTS audit (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL UNIQUE,
    at      TEXT NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    target  TEXT NOT NULL,
    old     TEXT,
    new     TEXT,
    outcome TEXT NOT NULL CHECK (outcome IN ('pending', 'done', 'failed')),
    reason  TEXT NOT NULL
);
