-- +goose Up
-- What administrators did in the console, kept 90 days.
CREATE TABLE console_audit (
    id        TEXT PRIMARY KEY, -- begins with the time, so that order by id is order by time
    at        BIGINT NOT NULL,
    user_id   TEXT NOT NULL,
    user_name TEXT NOT NULL,
    made_by   TEXT NOT NULL,    -- session, jwt, or a token
    address   TEXT NOT NULL,
    action    TEXT NOT NULL,    -- queue.pause, app.rotate …
    subject   TEXT NOT NULL,    -- of what
    error     TEXT NOT NULL,    -- the code of why it was not done; empty: it was
    details   TEXT NOT NULL     -- JSON without secrets and payloads, or empty
);
CREATE INDEX console_audit_at ON console_audit (at);
