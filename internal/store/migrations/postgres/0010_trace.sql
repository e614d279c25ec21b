-- +goose Up
-- Events that were given up and requests that were refused, kept seven days.
CREATE TABLE trace_failures (
    id       TEXT COLLATE "C" PRIMARY KEY, -- the event's
    at       BIGINT NOT NULL,
    app      TEXT NOT NULL,
    event    TEXT NOT NULL,
    channel  TEXT NOT NULL,    -- the first
    status   TEXT NOT NULL,
    timeline TEXT NOT NULL     -- JSON without a payload
);
CREATE INDEX trace_failures_at ON trace_failures (at);
