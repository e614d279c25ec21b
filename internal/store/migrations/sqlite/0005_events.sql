-- +goose Up
-- Idempotency-Keys of POST /api/events: the first request's event and answer.
CREATE TABLE idempotency_keys (
    scope    TEXT NOT NULL,
    name     TEXT NOT NULL,
    content  BLOB NOT NULL,
    event_id TEXT NOT NULL,
    answer   TEXT NOT NULL,
    expires  BIGINT NOT NULL,
    PRIMARY KEY (scope, name)
);
CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires);
