-- +goose Up
-- Requests to webhook endpoints: those that failed for good, and the last of the
-- others.
CREATE TABLE webhook_calls (
    id        TEXT COLLATE "C" PRIMARY KEY, -- begins with the time, so that order by id is order by time
    at        BIGINT NOT NULL,  -- when it ended
    accepted  BIGINT NOT NULL,  -- when its oldest event was
    app       TEXT NOT NULL,
    url       TEXT NOT NULL,    -- without its query
    endpoint  TEXT NOT NULL,    -- tells apart what differs in the query only
    events    TEXT NOT NULL,    -- JSON: names
    channels  TEXT NOT NULL,    -- JSON: the first ten
    event_ids TEXT NOT NULL,    -- JSON: of client events
    count     BIGINT NOT NULL,
    size      BIGINT NOT NULL,
    outcome   TEXT NOT NULL,    -- delivered, dropped
    error     TEXT NOT NULL,
    tries     TEXT NOT NULL,    -- JSON
    resent_at BIGINT NOT NULL,  -- when it was sent again; 0: never
    resent_as TEXT NOT NULL,    -- the id under which
    body      BYTEA,            -- of those that failed; NULL: dropped for its age or size
    body_size BIGINT NOT NULL   -- 0 without a body
);
CREATE INDEX webhook_calls_at ON webhook_calls (at);
CREATE INDEX webhook_calls_outcome ON webhook_calls (outcome, id);
