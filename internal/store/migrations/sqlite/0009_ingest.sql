-- +goose Up
-- Ids of signed webhooks that were carried out, until their messages would be
-- refused as old, so that all servers take each message once.
CREATE TABLE webhook_ids (
    id         TEXT PRIMARY KEY, -- webhook-id
    digest     TEXT NOT NULL,    -- SHA-256 of the body
    call_id    TEXT NOT NULL,    -- these three are the first answer
    dashboard  TEXT NOT NULL,
    range_name TEXT NOT NULL,
    expires    BIGINT NOT NULL
);
CREATE INDEX webhook_ids_expires ON webhook_ids (expires);
