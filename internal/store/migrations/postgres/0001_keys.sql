-- +goose Up
-- Keys that servers of one database share: generated once, by whoever is first.
CREATE TABLE keys (
    name    TEXT PRIMARY KEY,
    value   BYTEA NOT NULL,
    created BIGINT NOT NULL
);
