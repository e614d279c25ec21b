-- +goose Up
-- Browsers that users let be reached when they are closed, by Web Push.
CREATE TABLE push_subscriptions (
    id         TEXT COLLATE "C" PRIMARY KEY, -- SHA-256 of the endpoint in hex, so that nothing else needs to name that
    user_id    TEXT COLLATE "C" NOT NULL,
    endpoint   TEXT NOT NULL,   -- where the push service takes messages; with the two keys, a secret
    p256dh     TEXT NOT NULL,
    auth       TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    created    BIGINT NOT NULL,
    seen       BIGINT NOT NULL, -- when the browser last said that it is there
    used       BIGINT NOT NULL, -- when the push service last took a message; 0: not yet
    failures   BIGINT NOT NULL  -- messages since then that it did not take
);
CREATE INDEX push_subscriptions_user ON push_subscriptions (user_id, seen);
